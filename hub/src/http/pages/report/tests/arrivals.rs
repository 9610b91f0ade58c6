//! Whoever repairs arrives: by the code on the device's label, or with a reason why it was not scanned.

use super::*;

const ARRIVAL: &str = "0192f0c1-2222-7000-8000-000000000001";

/// A hub with a ticket of the display, its engineer, and the codes of the labels of the display and of another device.
async fn called() -> (Hub, String, String, [String; 2]) {
    let hub = Hub::in_trouble().await;
    let number = hub.ticket().await;
    let engineer = signed_in(&hub, Role::Engineering).await;
    let mut codes = Vec::new();
    for device in ["entrance-led", "covers-1"] {
        codes.push(hub.app.store.code(&SITE.parse().unwrap(), &device.parse().unwrap()).await.unwrap().unwrap());
    }
    (hub, number, engineer, codes.try_into().unwrap())
}

#[tokio::test]
async fn the_label_of_the_device_leads_to_the_arrival_and_proves_it() {
    let (hub, number, engineer, [code, other]) = called().await;
    let (label, start) = (format!("/d/{code}"), format!("/t/{number}/start"));
    goes_to(&ask(&hub, "POST", &format!("/t/{number}/accept"), Some(&engineer), "version=1").await);
    let page = ask(&hub, "GET", &label, Some(&engineer), "").await;
    page.says(&[
        &format!("action=\"{start}\""),
        &format!("name=\"label\" value=\"{code}\""),
        "class=\"main\">到场处理",
    ]);
    // Its name is in links of the pages, so that it shows nothing.
    let by_name = ask(&hub, "GET", &format!("/d/entrance-led?site={SITE}"), Some(&engineer), "").await;
    assert!(!by_name.body.contains(&start), "{}", by_name.body);
    let concierge = signed_in(&hub, Role::Concierge).await;
    let theirs = ask(&hub, "GET", &label, Some(&concierge), "").await;
    assert!(!theirs.body.contains(&start), "who does not repair does not arrive: {}", theirs.body);

    let wrong = ask(&hub, "POST", &start, Some(&engineer), &format!("version=2&key={ARRIVAL}&label={other}")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    wrong.says(&["这不是本单设备的标签"]);
    let made_up = ask(&hub, "POST", &start, Some(&engineer), "version=2&label=entrance-led").await;
    assert_eq!(made_up.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = format!("version=2&key={ARRIVAL}&label={code}&back=%2Ft%2F{number}");
    for _ in 0..2 {
        let place = goes_to(&ask(&hub, "POST", &start, Some(&engineer), &form).await);
        assert_eq!(place, format!("/t/{number}?notice=saved"), "the same form is the same arrival");
    }
    let seen = ask(&hub, "GET", &format!("/t/{number}"), Some(&engineer), "").await;
    seen.says(&["到场，开始处理", "已扫描设备标签"]);
    ask(&hub, "GET", &format!("/t/{number}/print"), Some(&engineer), "").await.says(&["到场时间", "· 扫码"]);
    let page = ask(&hub, "GET", &label, Some(&engineer), "").await;
    assert!(!page.body.contains(&start), "nobody arrives twice: {}", page.body);
}

#[tokio::test]
async fn who_cannot_scan_says_why_and_what_was_typed_comes_back_where_it_is_not_enough() {
    let (hub, number, engineer, _) = called().await;
    let (page, start) = (format!("/t/{number}"), format!("/t/{number}/start"));
    let form = ask(&hub, "GET", &page, Some(&engineer), "").await;
    form.says(&["id=\"arrive\"", "标签缺失或无法识别", "设备不在原位", "其他原因", "name=\"key\""]);
    for (form, words) in [
        ("version=1&note=%E7%99%BB%E9%AB%98", ["请扫描设备标签", "登高"]),
        ("version=1&unscanned=other&note=+", ["请写明是什么原因", "value=\"other\" selected"]),
    ] {
        let refused = ask(&hub, "POST", &start, Some(&engineer), form).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
        refused.says(&words);
    }
    for form in ["version=1&unscanned=label", "version=1&unscanned=rain"] {
        let refused = ask(&hub, "POST", &start, Some(&engineer), form).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{form}");
    }
    let form = format!("version=1&key={ARRIVAL}&unscanned=other&note=%E7%99%BB%E9%AB%98");
    goes_to(&ask(&hub, "POST", &start, Some(&engineer), &form).await);
    ask(&hub, "GET", &page, Some(&engineer), "").await.says(&["未扫码（其他原因）", "登高"]);
    let print = ask(&hub, "GET", &format!("{page}/print"), Some(&engineer), "").await;
    print.says(&["· 未扫码", "未扫码（其他原因）"]);
}
