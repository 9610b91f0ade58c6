//! Group robots of `WeCom`. The key is part of the address.

use hyper::Uri;
use serde_json::json;

use super::{
    Letter,
    http::{Post, Reply},
    outcome::{self, Result},
};

/// Most bytes of a text.
pub(super) const MOST: usize = 2048;

/// A text mentions by a list of its own, and the robot writes the name behind the text itself.
pub(super) fn post(uri: Uri, letter: &Letter, keyword: &str, mention: Option<&str>) -> Post {
    let mut text = json!({ "content": letter.text_within(keyword, MOST) });
    if let Some(user) = mention {
        text["mentioned_list"] = json!([user]);
    }
    Post { uri, headers: Vec::new(), body: json!({ "msgtype": "text", "text": text }).to_string() }
}

/// 45009 and 45033: too often; -1: busy.
pub(super) fn judge(reply: &Reply) -> Result {
    outcome::by_code(reply, &["errcode"], &[45_009, 45_033], &[-1])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::notify::{letter::tests::letter, outcome::Outcome};

    #[rstest]
    #[case::taken(200, r#"{"errcode":0,"errmsg":"ok"}"#, Outcome::Taken)]
    #[case::too_often(200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, Outcome::Throttled(None))]
    #[case::too_long(200, r#"{"errcode":40058,"errmsg":"markdown.content exceed max length 4096"}"#, Outcome::Refused)]
    #[case::wrong_key(200, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, Outcome::Refused)]
    #[case::busy(200, r#"{"errcode":-1,"errmsg":"system busy"}"#, Outcome::Later(None))]
    #[case::somebody_else(200, "<html>please sign in</html>", Outcome::Later(None))]
    #[case::nothing(200, "", Outcome::Later(None))]
    #[case::down(502, "bad gateway", Outcome::Later(None))]
    #[case::another_page(404, "", Outcome::Refused)]
    fn the_body_says_whether_it_was_taken(#[case] status: u16, #[case] body: &str, #[case] expected: Outcome) {
        let reply = Reply { status, retry_after: None, body: body.into() };
        let result = judge(&reply);
        assert_eq!(result.outcome, expected);
        assert!(!result.answer.is_empty());
    }

    #[test]
    fn a_mention_stands_beside_the_text_which_is_the_same() {
        let body = |mention| post("http://x/".parse().unwrap(), &letter("门"), "【设备告警】", mention).body;
        assert_eq!(body(None), r#"{"msgtype":"text","text":{"content":"【设备告警】门\nhttps://hub/t/1\n#01234567"}}"#);
        assert_eq!(
            body(Some("LiGong")),
            r#"{"msgtype":"text","text":{"content":"【设备告警】门\nhttps://hub/t/1\n#01234567","mentioned_list":["LiGong"]}}"#
        );
    }

    #[rstest]
    fn a_text_fits_and_begins_with_the_keyword(#[values(None, Some("LiGong"))] mention: Option<&str>) {
        let body = post("http://x/".parse().unwrap(), &letter(&"门".repeat(2000)), "【设备告警】", mention).body;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let text = body["text"]["content"].as_str().unwrap();
        assert!(text.len() <= MOST && text.len() > MOST - 4, "{}", text.len());
        assert!(text.starts_with("【设备告警】") && text.ends_with("#01234567"), "{text}");
    }
}
