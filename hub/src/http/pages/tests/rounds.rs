//! Rounds on their pages and in the API: answered, signed by two, refused, and what lacks before a site opens.

use super::*;

const KEY: &str = "00000000-0000-4000-8000-0000000000";

/// A hub at five in the afternoon, with the handover and the closing count open.
async fn hub_with_rounds() -> (Hub, String) {
    let mut hub = Hub::reporting().await;
    hub.pass(2 * 3_600_000);
    hub.report("ok", 180.0).await;
    let rounds = hub.open_rounds().await;
    let handover = rounds.iter().find(|round| round.is_handover()).expect("the handover is open");
    let path = format!("/checks/{}", handover.id);
    (hub, path)
}

/// Sends a form by the name of somebody, and says with what notice it leads back.
async fn send(hub: &Hub, path: &str, nth: u32, by: &str, fields: &str) -> String {
    let answer = hub.post(path, &format!("key={KEY}{nth:02}&by={by}&{fields}"), &[("accept", "text/html")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.header("location").rsplit_once("notice=").expect("a notice").1.to_owned()
}

#[tokio::test]
async fn a_handover_is_answered_opens_a_ticket_and_is_signed_by_two() {
    let (hub, path) = hub_with_rounds().await;
    let list = hub.get("/checks", "en").await;
    list.says(&["Internet area", "Snooker", "To begin", "0/2", "To do now", &path]);
    hub.get("/reception", "en").await.says(&["Current rounds", &path]);
    let form = hub.get(&path, "en").await;
    form.says(&["REC-S4.3", "一号电脑: ", "The device says fine", "value=\"pass\" checked", "Nothing else passes on"]);
    assert_eq!(form.body.matches("\" checked").count(), 1, "what no device says is not suggested: {}", form.body);

    let faulty = "said.laptops.laptop-1=fail&note.laptops.laptop-1=cracked+%3Cb%3E&sent_at=1795424400000";
    assert_eq!(send(&hub, &format!("{path}/save"), 1, "Zhang", faulty).await, "saved");
    assert_eq!(send(&hub, &format!("{path}/save"), 1, "Zhang", faulty).await, "saved", "the same again is taken");
    let no = hub.ticket().await;
    let saved = hub.get(&path, "en").await;
    saved.says(&[&no, "cracked &#60;b&#62;", "while the device says fine", "1/2", "Open tickets", "Zhang"]);
    hub.get(&format!("/t/{no}"), "zh").await.says(&["点检异常：一号电脑", "cracked &#60;b&#62;"]);

    assert_eq!(send(&hub, &format!("{path}/sign-out"), 2, "Zhang", faulty).await, "lacking");
    hub.get(&format!("{path}?notice=lacking"), "en").await.says(&["This one lacks", "cannot be signed yet"]);
    let no_reason = format!("{faulty}&said.books=not_applicable");
    assert_eq!(send(&hub, &format!("{path}/sign-out"), 3, "Zhang", &no_reason).await, "lacking");
    let all = format!("{no_reason}&note.books=away");
    assert_eq!(send(&hub, &format!("{path}/sign-out"), 4, "Zhang", &all).await, "saved");
    assert_eq!(send(&hub, &format!("{path}/save"), 5, "Zhang", &all).await, "step", "it is signed");
    assert_eq!(send(&hub, &format!("{path}/sign-in"), 6, "Zhang", "").await, "two-people");
    assert_eq!(send(&hub, &format!("{path}/dispute"), 7, "Li", "note=").await, "empty");
    assert_eq!(send(&hub, &format!("{path}/dispute"), 7, "Li", "note=one+book+lacks").await, "saved");
    hub.get(&path, "en").await.says(&["Disputed", "one book lacks", "name=\"said.books\""]);
    assert_eq!(send(&hub, &format!("{path}/sign-out"), 8, "Zhang", "said.books=pass").await, "saved");
    assert_eq!(send(&hub, &format!("{path}/sign-in"), 9, "Li", "").await, "saved");
    let done = hub.get(&path, "en").await;
    done.says(&["Done", "Taken over by", "Li", "Signed by", "Zhang", &no, "2/2"]);
    assert!(!done.body.contains("<form class=\"act"), "nothing is left to do: {}", done.body);
    assert_eq!(
        hub.app.store.tickets(&crate::store::TicketFilter::default(), None, 10).await.unwrap().unwrap().0.len(),
        1
    );

    let list = hub.read("/api/v1/checks").await;
    let round =
        list["items"].as_array().unwrap().iter().find(|round| round["checklist"] == "internet-handover").unwrap();
    assert_eq!(
        (&round["state"], &round["done"], &round["signed_in"]["name"]),
        (&"signed_in".into(), &true.into(), &"Li".into())
    );
    let whole = hub.read(&format!("/api/v1{path}")).await;
    let answer = &whole["lines"][0]["answer"];
    assert_eq!(
        (&answer["said"], &answer["flag"], &answer["sent_at"]),
        (&"fail".into(), &"device_fine".into(), &1_795_424_400_000_i64.into())
    );
    assert_eq!(whole["passes_on"]["tickets"], serde_json::json!([no]));
}

#[tokio::test]
async fn a_photo_is_of_its_item_and_of_the_ticket_that_the_item_opens() {
    let (hub, _) = hub_with_rounds().await;
    let rounds = hub.open_rounds().await;
    let count = rounds.iter().find(|round| round.checklist == "snooker-closing").unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(8, 8).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let field = |name: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let head = "--edge\r\nContent-Disposition: form-data; name=\"photo.condition\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n";
    let mut body = (field("key", &format!("{KEY}01")) + &field("said.condition", "fail") + head).into_bytes();
    body.extend(png.into_inner());
    body.extend(b"\r\n--edge--\r\n");
    let request = Request::post(format!("/checks/{}/save", count.id))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge");
    let answer = hub.ask(request.body(Body::from(body)).unwrap()).await;
    assert!(answer.header("location").ends_with("notice=saved"), "{}", answer.body);
    let page = hub.get(&format!("/checks/{}", count.id), "zh").await;
    let no = hub.ticket().await;
    page.says(&["/api/v1/photos/", &no, "实有数量（应有 22）"]);
    hub.get(&format!("/t/{no}"), "zh").await.says(&["/api/v1/photos/"]);
}

/// Sends a photo of the count's condition alone, as a phone does that kept it, and says with what notice it leads back.
async fn send_photo(hub: &Hub, path: &str, nth: u32, shade: u8) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([shade; 3]));
    image::DynamicImage::from(picture).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let head = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n{KEY}{nth:02}\r\n--edge\r\nContent-Disposition: form-data; \
         name=\"photo.condition\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
    );
    let body = [head.as_bytes(), &png.into_inner(), b"\r\n--edge--\r\n"].concat();
    let request =
        Request::post(format!("{path}/save")).header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge");
    let answer = hub.ask(request.body(Body::from(body)).unwrap()).await;
    answer.header("location").rsplit_once("notice=").expect("a notice").1.to_owned()
}

#[tokio::test]
async fn a_photo_that_comes_before_its_answer_is_there_once_and_on_the_ticket() {
    let (hub, _) = hub_with_rounds().await;
    let rounds = hub.open_rounds().await;
    let path = format!("/checks/{}", rounds.iter().find(|round| round.checklist == "snooker-closing").unwrap().id);
    let photos = async || {
        let whole = hub.read(&format!("/api/v1{path}")).await;
        let lines = whole["lines"].as_array().unwrap().iter();
        lines.map(|line| line["photos"].as_array().unwrap().len()).sum::<usize>()
    };
    for nth in [1, 1, 2] {
        assert_eq!(send_photo(&hub, &path, nth, 7).await, "saved");
        assert_eq!(photos().await, 1, "the same photo, under the same key or another");
    }
    assert_eq!(send(&hub, &format!("{path}/save"), 3, "Zhang", "said.condition=fail").await, "saved");
    let no = hub.ticket().await;
    hub.get(&format!("/t/{no}"), "zh").await.says(&["/api/v1/photos/"]);
    for nth in 11..16 {
        assert_eq!(send_photo(&hub, &path, nth, u8::try_from(nth).unwrap() * 8).await, "saved");
    }
    assert_eq!(send_photo(&hub, &path, 16, 200).await, "photo-many", "what is not kept is not acknowledged");
    assert_eq!(send_photo(&hub, &path, 17, 7).await, "saved", "one that is there is");
    assert_eq!(photos().await, 6);
}

#[tokio::test]
async fn what_lacks_before_a_site_opens_is_told_with_names() {
    let hub = Hub::reporting().await;
    hub.app.fleet.write().get_mut(&SITE.parse::<SiteId>().unwrap()).unwrap().calendar = Hub::hours();
    hub.get("/", "en").await.says(&["overview", "posts"]);
    assert!(!hub.get("/", "en").await.body.contains("Ready to open"), "in the afternoon nothing is asked");
    // 08:00 of the next day.
    hub.pass(17 * 3_600_000);
    hub.get("/", "en").await.says(&["Ready to open"]);
    let rounds = hub.open_rounds().await;
    for path in ["/", "/reception"] {
        hub.get(path, "en").await.says(&["Not ready: ", "opening check", "round not done 0/2", "Concierge"]);
    }
    for round in rounds.iter().filter(|round| round.checklist == "concierge-opening") {
        let path = format!("/checks/{}", round.id);
        let fields = "said.displays.entrance-led=pass&said.entrance=pass";
        assert_eq!(send(&hub, &format!("{path}/sign-out"), 1, "Chen", fields).await, "saved");
        hub.get(&path, "en").await.says(&["Ticked fine while nothing was known of the device"]);
    }
    assert!(!hub.get("/", "en").await.body.contains("Concierge's opening check".replace('\'', "&#39;").as_str()));
}

#[tokio::test]
async fn a_form_that_is_none_of_ours_changes_nothing() {
    let (hub, path) = hub_with_rounds().await;
    for (verb, fields) in
        [("save", "key=no"), ("save", "key=00000000-0000-4000-8000-000000000001&said.books=maybe"), ("sign", "key=1")]
    {
        let answer = hub.post(&format!("{path}/{verb}"), fields, &[]).await;
        assert!(answer.status.is_client_error(), "{fields}: {}", answer.status);
    }
    let elsewhere = hub
        .post("/checks/00000000-0000-4000-8000-000000000001/save", "key=00000000-0000-4000-8000-000000000001", &[])
        .await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let foreign = hub
        .post(
            &format!("{path}/save"),
            "key=00000000-0000-4000-8000-000000000001&said.books=pass",
            &[("origin", "http://evil.example")],
        )
        .await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    hub.get(&path, "en").await.says(&["0/2"]);
}
