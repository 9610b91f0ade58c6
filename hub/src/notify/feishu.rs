//! Custom bots of Feishu and Lark. The signature goes into the body; its key and its text are the other way round than elsewhere.

use hyper::Uri;
use lobby_domain::time::Timestamp;
use serde_json::json;

use super::{
    Letter,
    http::{Post, Reply},
    outcome::{self, Result},
    sign::hmac_sha256,
};

/// Most bytes of a text: a body has 20 KB, in which a character may take more than in the text.
pub(super) const MOST: usize = 9_000;

pub(super) fn post(
    uri: Uri,
    secret: Option<&str>,
    letter: &Letter,
    (keyword, mention): (&str, Option<&str>),
    now: Timestamp,
) -> Post {
    let at = mention.map(|id| format!("<at user_id=\"{id}\"></at>")).unwrap_or_default();
    // What devices and guests say mentions nobody, whatever it looks like.
    let plain = Letter { text: letter.text.replace("<at", "＜at"), ..letter.clone() };
    let text = plain.text_mentioning(&at, keyword, MOST);
    let mut body = json!({ "msg_type": "text", "content": { "text": text } });
    if let Some(secret) = secret {
        let seconds = now.millis() / 1000;
        body["timestamp"] = seconds.to_string().into();
        body["sign"] = sign(secret, seconds).into();
    }
    Post { uri, headers: Vec::new(), body: body.to_string() }
}

fn sign(secret: &str, seconds: i64) -> String {
    hmac_sha256(format!("{seconds}\n{secret}").as_bytes(), b"")
}

/// 11232: too often; 99991400 is its older form.
pub(super) fn judge(reply: &Reply) -> Result {
    outcome::by_code(reply, &["code", "StatusCode"], &[11_232, 99_991_400], &[])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;
    use crate::notify::{letter::tests::letter, outcome::Outcome};

    #[test]
    fn the_signature_is_the_one_that_is_published_and_stands_in_the_body() {
        let now = Timestamp::from_millis(1_700_000_000_999);
        let post = post("http://x/".parse().unwrap(), Some("this is secret"), &letter("x"), ("", None), now);
        let body: Value = serde_json::from_str(&post.body).unwrap();
        assert_eq!(
            (&body["timestamp"], &body["sign"]),
            (&json!("1700000000"), &json!("OfGzRzoUICBOoc8wVra1e4A1hPfbZ9zqXozA8CWVUuY="))
        );
    }

    #[rstest]
    #[case::nobody(None, r#"{"content":{"text":"【案场】x\nhttps://hub/t/1\n#01234567"},"msg_type":"text"}"#)]
    #[case::somebody(
        Some("ou_7d8a6e6d"),
        r#"{"content":{"text":"【案场】x\n<at user_id=\"ou_7d8a6e6d\"></at>\nhttps://hub/t/1\n#01234567"},"msg_type":"text"}"#
    )]
    fn whom_it_mentions_stands_in_the_text(#[case] mention: Option<&str>, #[case] expected: &str) {
        let at = Timestamp::from_millis(0);
        assert_eq!(post("http://x/".parse().unwrap(), None, &letter("x"), ("【案场】", mention), at).body, expected);
    }

    #[test]
    fn what_was_said_of_a_device_mentions_nobody() {
        let (said, at) = (letter("屏 <at user_id=\"all\"></at> 黑"), Timestamp::from_millis(0));
        let body = post("http://x/".parse().unwrap(), None, &said, ("", None), at).body;
        assert!(!body.contains("<at") && body.contains("＜at user_id"), "{body}");
    }

    #[test]
    fn a_long_text_is_cut_and_the_mention_is_not() {
        let (long, at) = (letter(&"门".repeat(10_000)), Timestamp::from_millis(0));
        let body = post("http://x/".parse().unwrap(), None, &long, ("", Some("ou_7d8a6e6d")), at).body;
        let body: Value = serde_json::from_str(&body).unwrap();
        let text = body["content"]["text"].as_str().unwrap();
        assert!(text.len() <= MOST && text.len() > MOST - 4, "{}", text.len());
        assert!(text.ends_with("…\n<at user_id=\"ou_7d8a6e6d\"></at>\nhttps://hub/t/1\n#01234567"), "{text}");
    }

    #[rstest]
    #[case::taken(r#"{"code":0,"msg":"success","data":{}}"#, Outcome::Taken)]
    #[case::taken_of_old(r#"{"StatusCode":0,"StatusMessage":"success"}"#, Outcome::Taken)]
    #[case::too_often(r#"{"code":11232,"msg":"frequency limited"}"#, Outcome::Throttled(None))]
    #[case::wrong_signature(r#"{"code":19021,"msg":"sign match fail"}"#, Outcome::Refused)]
    #[case::no_keyword(r#"{"code":19024,"msg":"Key Words Not Found"}"#, Outcome::Refused)]
    #[case::bad_request(r#"{"code":9499,"msg":"Bad Request"}"#, Outcome::Refused)]
    fn the_body_says_whether_it_was_taken(#[case] body: &str, #[case] expected: Outcome) {
        assert_eq!(judge(&Reply { status: 200, retry_after: None, body: body.into() }).outcome, expected);
    }
}
