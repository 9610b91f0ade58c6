//! Forms of the register that are not taken: the page comes again with what was typed, and nothing has changed.

use lobby_domain::{access::Role, register::AssetNumber};
use serde_json::Value;

use super::*;

const KEY: &str = "0192f0c1-1111-7000-8000-000000000001";
/// All fields of the sofa, as its page sends them; the first of a name counts.
const SOFA: [(&str, &str); 4] = [("name", "沙发"), ("place", "客厅"), ("quantity", "2"), ("state", "in-use")];

impl Hub {
    async fn item(&self, number: AssetNumber) -> Value {
        self.read(&format!("/api/v1/sites/hz-01/register/{number}")).await
    }

    /// Sends a form of the sofa's page that is not taken.
    async fn refuses_item(&self, (number, verb): (AssetNumber, &str), fields: &[(&str, &str)], status: u16) -> Answer {
        let before = self.item(number).await;
        let answer = self.form(Role::Showflat, &format!("/register/hz-01/{number}/{verb}"), fields).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert_eq!(self.item(number).await, before, "nothing is done");
        answer
    }

    async fn takes_item(&self, (number, verb): (AssetNumber, &str), fields: &[(&str, &str)]) {
        let answer = self.form(Role::Showflat, &format!("/register/hz-01/{number}/{verb}"), fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.headers[header::LOCATION], format!("/register/hz-01/{number}?notice=saved"));
    }
}

fn edit<'a>(first: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [first, &SOFA].concat()
}

#[tokio::test]
async fn an_edit_that_is_refused_comes_back_with_what_was_typed_and_the_reason_beside_the_field() {
    let hub = Hub::reporting().await;
    let sofa = hub.registers(1, "沙发", "").await;
    let screen = hub.registers(2, "入口屏", "entrance-led").await;
    let of = (sofa, "edit");
    let typed = edit(&[("seen", "1"), ("quantity", "1.5"), ("note", "划痕 <3>"), ("reason", "数过"), ("by", "王敏")]);
    hub.refuses_item(of, &typed, 422).await.says(&[
        "Nothing was saved",
        "value=\"1.5\" maxlength",
        "aria-describedby=\"f-quantity-wrong\" autofocus>",
        "id=\"f-quantity-wrong\">A quantity is a whole number",
        "value=\"划痕 &#60;3&#62;\"",
        "value=\"数过\"",
        "value=\"王敏\"",
        "name=\"seen\" value=\"1\"",
    ]);
    let long = "长".repeat(201);
    for reason in ["", &long] {
        let typed = edit(&[("seen", "1"), ("place", "卧室"), ("reason", reason)]);
        hub.refuses_item(of, &typed, 422).await.says(&["id=\"reason-wrong\">Say why", "value=\"卧室\""]);
    }
    for device in ["no-such-thing", "NO DEVICE"] {
        let typed = edit(&[("seen", "1"), ("device", device), ("reason", "x")]);
        hub.refuses_item(of, &typed, 422).await.says(&["id=\"f-device-wrong\">Choose a device"]);
    }
    let typed = edit(&[("seen", "1"), ("device", "entrance-led"), ("reason", "x")]);
    hub.refuses_item(of, &typed, 422).await.says(&[
        &format!("id=\"f-device-wrong\">Item {screen} is this device already"),
        "<option value=\"entrance-led\" selected>",
    ]);
    hub.takes_item(of, &edit(&[("seen", "1"), ("place", "卧室"), ("reason", "换位置")])).await;
}

#[tokio::test]
async fn an_edit_of_a_page_that_is_out_of_date_undoes_nothing_that_nobody_has_seen() {
    let hub = Hub::reporting().await;
    let sofa = hub.registers(1, "沙发", "").await;
    let of = (sofa, "edit");
    let first = [("seen", "1"), ("place", "卧室"), ("note", "有划痕"), ("reason", "换位置")];
    hub.takes_item(of, &edit(&first)).await;
    // The other page still says 客厅 and no note: its reader changed the quantity and the note alone.
    let second = [("seen", "1"), ("quantity", "3"), ("note", "已擦净"), ("reason", "数过")];
    let again = hub.refuses_item(of, &edit(&second), 409).await;
    again.says(&[
        "something has changed since the page was opened",
        "name=\"seen\" value=\"2\"",
        "name=\"place\" type=\"text\" value=\"卧室\"",
        "value=\"3\"",
        "value=\"已擦净\"",
        "id=\"f-note-wrong\">Somebody has made this `有划痕` meanwhile",
        "value=\"数过\"",
    ]);
    assert!(!again.body.contains("id=\"f-quantity-wrong\""), "nobody else has touched it");
    hub.takes_item((sofa, "write-off"), &[("seen", "2"), ("reason", "坏了")]).await;
    let gone = hub.refuses_item(of, &edit(&[("seen", "2"), ("note", "擦净"), ("reason", "数过")]), 409).await;
    gone.says(&["It was written off", "What you typed:", "擦净", "数过"]);
}

#[tokio::test]
async fn other_forms_of_an_item_come_back_too() {
    let hub = Hub::reporting().await;
    let sofa = hub.registers(1, "沙发", "").await;
    let off = (sofa, "write-off");
    hub.refuses_item(off, &[("seen", "1"), ("reason", ""), ("by", "王敏")], 422).await.says(&[
        "<details class=\"more\" open><summary>Write it off",
        "id=\"off-reason-wrong\">Say why",
        "value=\"王敏\"",
    ]);
    hub.refuses_item(off, &[("seen", "0"), ("reason", "旧了")], 409).await.says(&["meanwhile", "value=\"旧了\""]);
    let photo = hub.refuses_item((sofa, "photo"), &[("by", "王敏")], 422).await;
    photo.says(&["<details class=\"more\" open><summary>Add photos", "id=\"photo-wrong\">Choose a photo", "王敏"]);

    let ask = |first: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static str)> {
        let usual = [("key", KEY), ("way", "out"), ("pieces", "1"), ("place", "滨江案场"), ("reason", "借展")];
        [first, &usual].concat()
    };
    let of = (sofa, "move");
    for pieces in ["3", "0", "many", ""] {
        let kept = format!("value=\"{pieces}\" aria-invalid=\"true\" aria-describedby=\"pieces-wrong\"");
        let again = hub.refuses_item(of, &ask(&[("pieces", pieces)]), 422).await;
        again.says(&[&kept, "<details class=\"more\" open><summary>Ask to move it out", "value=\"滨江案场\"", "借展"]);
    }
    hub.refuses_item(of, &ask(&[("place", "")]), 422).await.says(&["id=\"to-wrong\">Say where to", "value=\"借展\""]);
    hub.refuses_item(of, &ask(&[("reason", "")]), 422).await.says(&["id=\"move-reason-wrong\">Say why", "滨江案场"]);
    hub.refuses_item(of, &ask(&[("wanted", "tomorrow")]), 422)
        .await
        .says(&["value=\"tomorrow\"", "id=\"wanted-wrong\""]);
    hub.refuses_item(of, &ask(&[("way", "back")]), 409).await.says(&["cannot be moved that way now", "借展"]);
    hub.takes_item(of, &ask(&[])).await;
    hub.takes_item(of, &ask(&[])).await;
    let item = hub.item(sofa).await;
    assert_eq!(item["moves"].as_array().unwrap().len(), 1, "sent twice, asked for once");

    let refuse = format!("/register/hz-01/moves/{}/refuse", item["moves"][0]["id"].as_str().unwrap());
    let answer = hub.form(Role::Manager, &refuse, &[("reason", ""), ("by", "经理")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    answer.says(&["id=\"why-1-wrong\">Say why", "value=\"经理\""]);
    assert_eq!(hub.item(sofa).await["moves"][0]["state"], "asked");
}
