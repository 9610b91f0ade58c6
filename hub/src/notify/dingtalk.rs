//! Custom robots of `DingTalk`. The signature goes into the query, made anew for each request from the stored address.

use hyper::Uri;
use lobby_domain::{notice::is_mobile, time::Timestamp};
use serde_json::json;

use super::{
    Letter,
    http::{Post, Reply},
    outcome::{self, Result},
    sign::{hmac_sha256, in_query},
};

/// Most bytes of a text that people still read.
pub(super) const MOST: usize = 16_000;

/// Whom it mentions stands in the text and beside it: the one without the other rings no phone.
pub(super) fn post(
    url: &str,
    secret: Option<&str>,
    letter: &Letter,
    (keyword, mention): (&str, Option<&str>),
    now: Timestamp,
) -> Option<Post> {
    let uri: Uri = match secret {
        Some(secret) => {
            let join = if url.contains('?') { '&' } else { '?' };
            format!("{url}{join}timestamp={}&sign={}", now.millis(), sign(secret, now)).parse().ok()?
        }
        None => url.parse().ok()?,
    };
    let at = mention.map(|id| format!("@{id}")).unwrap_or_default();
    let text = letter.text_mentioning(&at, keyword, MOST);
    let mut body = json!({ "msgtype": "text", "text": { "content": text } });
    if let Some(id) = mention {
        let list = if is_mobile(id) { "atMobiles" } else { "atUserIds" };
        body["at"] = json!({ list: [id], "isAtAll": false });
    }
    Some(Post { uri, headers: Vec::new(), body: body.to_string() })
}

fn sign(secret: &str, now: Timestamp) -> String {
    in_query(&hmac_sha256(secret.as_bytes(), format!("{}\n{secret}", now.millis()).as_bytes()))
}

/// 130101: too often, and for some minutes; -1: busy.
pub(super) fn judge(reply: &Reply) -> Result {
    outcome::by_code(reply, &["errcode"], &[130_101, 130_102], &[-1])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::notify::{letter::tests::letter, outcome::Outcome};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn the_signature_is_the_one_that_is_published() {
        assert_eq!(sign("this is secret", NOW), "sSFWELbV2YwjdDQhWZwTcWlX5BWUx5J6TPpsZmuPii0%3D");
    }

    #[test]
    fn the_address_does_not_grow_from_one_request_to_the_next() {
        let url = "https://oapi.dingtalk.com/robot/send?access_token=T";
        let uri = |now| post(url, Some("this is secret"), &letter("x"), ("", None), now).unwrap().uri.to_string();
        let first = uri(NOW);
        assert_eq!(first, format!("{url}&timestamp=1700000000000&sign=sSFWELbV2YwjdDQhWZwTcWlX5BWUx5J6TPpsZmuPii0%3D"));
        let later = uri(NOW.shifted(1000));
        assert_eq!(later.matches("sign=").count(), 1);
        assert_ne!(first, later);
        assert_eq!(post(url, None, &letter("x"), ("", None), NOW).unwrap().uri.to_string(), url);
    }

    #[rstest]
    #[case::nobody(None, r#"{"msgtype":"text","text":{"content":"【案场】x\nhttps://hub/t/1\n#01234567"}}"#)]
    #[case::by_number(
        Some("13800138000"),
        r#"{"at":{"atMobiles":["13800138000"],"isAtAll":false},"msgtype":"text","text":{"content":"【案场】x\n@13800138000\nhttps://hub/t/1\n#01234567"}}"#
    )]
    #[case::by_id(
        Some("manager4220"),
        r#"{"at":{"atUserIds":["manager4220"],"isAtAll":false},"msgtype":"text","text":{"content":"【案场】x\n@manager4220\nhttps://hub/t/1\n#01234567"}}"#
    )]
    fn whom_it_mentions_stands_in_the_text_and_beside_it(#[case] mention: Option<&str>, #[case] expected: &str) {
        assert_eq!(post("http://x/", None, &letter("x"), ("【案场】", mention), NOW).unwrap().body, expected);
    }

    #[test]
    fn a_long_text_is_cut_and_the_mention_is_not() {
        let long = letter(&"门".repeat(10_000));
        let body = post("http://x/", None, &long, ("", Some("13800138000")), NOW).unwrap().body;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = body["text"]["content"].as_str().unwrap();
        assert!(text.len() <= MOST && text.len() > MOST - 4, "{}", text.len());
        assert!(text.ends_with("…\n@13800138000\nhttps://hub/t/1\n#01234567"), "{text}");
    }

    #[rstest]
    #[case::taken(r#"{"errcode":0,"errmsg":"ok"}"#, Outcome::Taken)]
    #[case::too_often(r#"{"errcode":130101,"status":1111,"punish":"deny"}"#, Outcome::Throttled(None))]
    #[case::wrong_signature(r#"{"errcode":310000,"errmsg":"sign not match"}"#, Outcome::Refused)]
    fn the_body_says_whether_it_was_taken(#[case] body: &str, #[case] expected: Outcome) {
        assert_eq!(judge(&Reply { status: 200, retry_after: None, body: body.into() }).outcome, expected);
    }
}
