//! ntfy: JSON to the root of the server.

use hyper::Uri;
use lobby_domain::notice::clipped;
use serde_json::json;

use super::{
    Letter,
    http::{Post, Reply},
    outcome::{Outcome, Result, by_status},
};

/// Most bytes of a message; a longer one would become an attachment.
pub(super) const MOST: usize = 4096;
/// Most bytes of a title.
const MOST_TITLE: usize = 250;

pub(super) fn post(uri: Uri, topic: &str, token: Option<&str>, letter: &Letter, keyword: &str) -> Post {
    let (priority, tag) = match letter.severity.as_str() {
        "critical" => (5, "rotating_light"),
        "major" => (4, "warning"),
        "recovered" => (3, "white_check_mark"),
        _ => (3, "information_source"),
    };
    let mut body = json!({
        "topic": topic,
        "title": clipped(&format!("{keyword}{}", letter.title), MOST_TITLE),
        "message": letter.text_within("", MOST),
        "priority": priority,
        "tags": [tag],
    });
    if let Some(link) = &letter.link {
        body["click"] = link.as_str().into();
    }
    let headers = token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
    Post { uri, headers, body: body.to_string() }
}

pub(super) fn judge(reply: &Reply) -> Result {
    let outcome = match by_status(reply) {
        // Something else that answers with 200 has not taken it.
        Outcome::Taken if !reply.body.contains("\"id\"") => Outcome::Later(None),
        outcome => outcome,
    };
    Result::new(outcome, &reply.said())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;
    use crate::notify::letter::tests::letter;

    #[test]
    fn a_message_names_its_topic_and_what_it_weighs() {
        let post = post("http://x/".parse().unwrap(), "lobby", Some("tk_1"), &letter(&"门".repeat(3000)), "");
        let body: Value = serde_json::from_str(&post.body).unwrap();
        assert_eq!(
            (&body["topic"], &body["priority"], &body["click"]),
            (&json!("lobby"), &json!(5), &json!("https://hub/t/1"))
        );
        assert!(body["message"].as_str().unwrap().len() <= MOST);
        assert_eq!(post.headers, [("authorization", "Bearer tk_1".to_owned())]);
    }

    #[rstest]
    #[case(200, r#"{"id":"x","event":"message"}"#, Outcome::Taken)]
    #[case(200, "<html>", Outcome::Later(None))]
    #[case(413, "{}", Outcome::Refused)]
    #[case(429, "{}", Outcome::Throttled(None))]
    #[case(507, "{}", Outcome::Later(None))]
    fn an_answer_without_an_id_is_somebody_elses(#[case] status: u16, #[case] body: &str, #[case] expected: Outcome) {
        assert_eq!(judge(&Reply { status, retry_after: None, body: body.into() }).outcome, expected);
    }
}
