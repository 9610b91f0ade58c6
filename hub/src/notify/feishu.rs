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

pub(super) fn post(uri: Uri, secret: Option<&str>, letter: &Letter, keyword: &str, now: Timestamp) -> Post {
    let text = letter.text_within(keyword, MOST);
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
        let post = post("http://x/".parse().unwrap(), Some("this is secret"), &letter("x"), "", now);
        let body: Value = serde_json::from_str(&post.body).unwrap();
        assert_eq!(
            (&body["timestamp"], &body["sign"]),
            (&json!("1700000000"), &json!("OfGzRzoUICBOoc8wVra1e4A1hPfbZ9zqXozA8CWVUuY="))
        );
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
