//! The register, on its pages and in the API.

use lobby_domain::register::{
    AssetNumber, Field, Item,
    moving::Way,
    taking::{Answer as Counted, Seen},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    audit::Actor,
    photo::Photo,
    store::{Acting, Asked},
};

const BASE: &str = "/api/v1/sites/hz-01/register";

/// Whoever does something, by name.
macro_rules! by {
    ($hub:expr, $who:expr) => {
        Acting {
            site: &SITE.parse().unwrap(),
            who: $who,
            post: "showflat",
            actor: &Actor::person($who, $who),
            at: $hub.app.clock.now(),
        }
    };
}

impl Hub {
    /// Enters an item with a photo and a label `code-N`.
    pub(super) async fn registers(&self, nth: u128, name: &str, device: &str) -> AssetNumber {
        let text = |field| match field {
            Field::Name => name,
            Field::Place => "客厅",
            Field::Quantity => "2",
            Field::Device => device,
            _ => "",
        };
        let (item, photo) = (
            Item::read(|field| Some(text(field))).unwrap(),
            Photo { jpeg: vec![7], small: vec![0xff, 0xd8], width: 4, height: 3 },
        );
        let (id, code) = (Uuid::from_u128(nth), format!("code-{nth}"));
        self.app.store.add_to_register(id, &item, &[photo], &code, by!(self, "lin")).await.unwrap()
    }
}

#[tokio::test]
async fn the_api_lists_the_register_page_by_page_and_tells_all_of_an_item() {
    let hub = Hub::reporting().await;
    let empty: Value = hub.read(BASE).await;
    assert_eq!(empty, json!({ "items": [], "next": null }));
    let sofa = hub.registers(1, "沙发", "").await;
    let screen = hub.registers(2, "入口屏", "entrance-led").await;
    let first = hub.read(&format!("{BASE}?limit=1")).await;
    assert_eq!(first["next"], sofa.to_string());
    let item = &first["items"][0];
    let told = ["asset", "name", "state", "place", "quantity", "labels", "device"].map(|key| item[key].clone());
    let expected = json!([sofa.to_string(), "沙发", "in-use", "客厅", 2, ["code-1"], null]);
    assert_eq!(Value::from(told.to_vec()), expected);
    let second = hub.read(&format!("{BASE}?limit=1&after={sofa}")).await;
    assert_eq!((&second["items"][0]["asset"], &second["next"]), (&json!(screen.to_string()), &Value::Null));
    assert_eq!(second["items"][0]["device"], "entrance-led");

    let (take, store) = (Uuid::from_u128(7), &hub.app.store);
    store.start_stock_take(take, "客厅", by!(hub, "lin")).await.unwrap();
    let found = Counted { seen: Seen::Damaged, count: 2, place: String::new(), note: "划痕".to_owned() };
    store.answer_stock_take(take, &[(sofa.nth(), found)], by!(hub, "lin")).await.unwrap();
    let (id, number) = (Uuid::from_u128(8), sofa);
    let asked = Asked { id, number, way: Way::Out, pieces: 1, place: "分公司", reason: "借展", wanted: None };
    store.ask_move(asked, by!(hub, "lin")).await.unwrap();
    let whole = hub.read(&format!("{BASE}/{sofa}")).await;
    assert_eq!((&whole["asset"], &whole["version"]), (&json!(sofa.to_string()), &json!(1)));
    assert_eq!((&whole["history"][0]["what"], &whole["history"][0]["set"]["name"]), (&json!("add"), &json!("沙发")));
    let counted = &whole["stock_takes"][0];
    assert_eq!(
        (&counted["seen"], &counted["note"], &counted["closed"]),
        (&json!("damaged"), &json!("划痕"), &Value::Null)
    );
    let moved = &whole["moves"][0];
    assert_eq!(
        (&moved["state"], &moved["place"], &moved["decided"]),
        (&json!("asked"), &json!("分公司"), &Value::Null)
    );
    assert_eq!(
        (&whole["label_history"][0]["code"], &whole["label_history"][0]["on"]),
        (&json!("code-1"), &json!(true))
    );
    let photo = whole["photos"][0].as_str().unwrap();
    assert_eq!(hub.get(&format!("/api/v1/photos/{photo}"), "en").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_in_the_register_is_not_there_and_what_is_no_page_is_refused() {
    let hub = Hub::reporting().await;
    hub.registers(1, "沙发", "").await;
    for (path, status) in [
        ("/api/v1/sites/hz-02/register", StatusCode::NOT_FOUND),
        ("/api/v1/sites/HZ/register", StatusCode::NOT_FOUND),
        ("/api/v1/sites/hz-01/register/00002-6", StatusCode::NOT_FOUND),
        ("/api/v1/sites/hz-01/register/00001-0", StatusCode::NOT_FOUND),
        ("/api/v1/sites/hz-01/register?after=1", StatusCode::BAD_REQUEST),
        ("/api/v1/sites/hz-01/register?limit=0", StatusCode::BAD_REQUEST),
        ("/api/v1/sites/hz-01/register?place=x", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(hub.get(path, "en").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_list_shows_a_photo_of_each_item_and_the_item_which_labels_it_had() {
    let hub = Hub::reporting().await;
    let sofa = hub.registers(1, "沙发", "").await;
    let list = hub.get("/register", "en").await;
    list.says(&["loading=\"lazy\"", "src=\"/api/v1/photos/", "There was no stock-take yet"]);
    hub.app.store.bind_label("code-1", None, (1, "掉了"), by!(hub, "lin")).await.unwrap();
    let item = hub.get(&format!("/register/hz-01/{sofa}"), "en").await;
    item.says(&["Its labels", "code-1", "Stuck on it", "Void", "掉了", "is entered in the register there"]);
    for path in ["/showflat", "/reception", "/"] {
        hub.get(path, "en").await.says(&["<a class=\"quiet\" href=\"/register\">Register</a>"]);
    }
}

/// The only photo of the sofa, as it is kept: its id and its small file, if there is one.
async fn kept_photo(hub: &Hub) -> (String, Option<Vec<u8>>) {
    let crate::store::Store::Sqlite(pool) = &hub.app.store else { panic!("pages are tested on SQLite") };
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query_as("SELECT id, small FROM photo").fetch_one(&mut *connection).await.unwrap()
}

#[tokio::test]
async fn a_list_shows_small_photos_which_are_made_once() {
    let hub = Hub::reporting().await;
    let item = Item::read(|field| Some(if field == Field::Name { "沙发" } else { "" })).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(800, 600).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let photo = hub.app.reports.photos.read(png.into_inner().into()).await.unwrap();
    hub.app.store.add_to_register(Uuid::from_u128(1), &item, &[photo], "code-1", by!(hub, "lin")).await.unwrap();
    let (id, kept) = kept_photo(&hub).await;
    let path = format!("/api/v1/photos/{id}?size=small");
    hub.get("/register", "en").await.says(&[&format!("src=\"{path}\"")]);
    let small = image::load_from_memory(&kept.unwrap()).unwrap();
    assert_eq!((small.width(), small.height()), (160, 120));

    // Of a photo that was kept before there were small ones, it is made when it is first asked for.
    let crate::store::Store::Sqlite(pool) = &hub.app.store else { panic!("pages are tested on SQLite") };
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("UPDATE photo SET small = NULL").execute(&mut *connection).await.unwrap();
    drop(connection);
    for _ in 0..2 {
        let answer = hub.ask(Request::head(&path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "image/jpeg"));
        assert_eq!(answer.header("cache-control"), "private, max-age=31536000, immutable");
    }
    let (_, made) = kept_photo(&hub).await;
    let made = image::load_from_memory(&made.expect("it is kept for the next time")).unwrap();
    assert_eq!((made.width(), made.height()), (160, 120));
    let no_size = hub.get(&format!("/api/v1/photos/{id}?size=huge"), "en").await;
    assert_eq!(no_size.status, StatusCode::BAD_REQUEST);
    assert_eq!(hub.get("/api/v1/photos/none?size=small", "en").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refused_item_comes_back_at_its_own_site_with_what_was_typed() {
    let hub = Hub::new(&[SITE, "hz-02"]).await;
    let form = "key=0192f0c1-1111-7000-8000-000000000001&name=%E6%B2%99%E5%8F%91&quantity=many&note=kept";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = hub.post("/register/hz-02", form, &headers).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    answer.says(&["action=\"/register/hz-02\"", "value=\"many\"", "value=\"kept\"", "沙发"]);
    assert_eq!(hub.read("/api/v1/sites/hz-02/register").await["items"], json!([]));
}
