//! Any receiver of Standard Webhooks.

use hyper::Uri;
use lobby_domain::time::Timestamp;
use serde_json::json;

use super::{
    Letter,
    http::{Post, Reply},
    outcome::{Outcome, Result, by_status},
    sign::{from_base64, hmac_sha256},
};

/// Most bytes of a text.
pub(super) const MOST: usize = 100_000;

pub(super) fn post(uri: Uri, secret: Option<&str>, letter: &Letter, keyword: &str, now: Timestamp) -> Post {
    let made = jiff::Timestamp::from_millisecond(letter.made_at).unwrap_or_default();
    let body = json!({
        "id": letter.id,
        "type": letter.r#type,
        "timestamp": made.to_string(),
        "data": {
            "kind": letter.kind,
            "title": format!("{keyword}{}", letter.title),
            "text": letter.text_within(keyword, MOST),
            "link": letter.link,
            "alerts": letter.alerts,
        },
    })
    .to_string();
    let seconds = now.millis() / 1000;
    let mut headers = vec![("webhook-id", letter.id.clone()), ("webhook-timestamp", seconds.to_string())];
    if let Some(keys) = secret.and_then(|secret| keys(secret).ok()) {
        let signatures: Vec<String> = keys.iter().map(|key| sign(key, &letter.id, seconds, &body)).collect();
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    Post { uri, headers, body }
}

/// The keys of a secret: one, or several while it changes.
pub(super) fn keys(secret: &str) -> std::result::Result<Vec<Vec<u8>>, &'static str> {
    let key = |text: &str| {
        let key = from_base64(text.strip_prefix("whsec_").unwrap_or(text));
        key.filter(|key| (24..=64).contains(&key.len())).ok_or("is `whsec_` with 24 to 64 bytes in base64")
    };
    secret.split_whitespace().map(key).collect()
}

fn sign(key: &[u8], id: &str, seconds: i64, body: &str) -> String {
    format!("v1,{}", hmac_sha256(key, format!("{id}.{seconds}.{body}").as_bytes()))
}

pub(super) fn judge(reply: &Reply) -> Result {
    let outcome = if reply.status == 410 { Outcome::Gone } else { by_status(reply) };
    Result::new(outcome, &reply.said())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::letter::tests::letter;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_the_one_that_is_published() {
        let [key] = keys(SECRET).unwrap().try_into().unwrap();
        assert_eq!(
            sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_that_changes_signs_twice_and_one_that_is_none_is_refused() {
        let both = format!("{SECRET} whsec_{}", "A".repeat(40));
        let post = post("http://x/".parse().unwrap(), Some(&both), &letter("x"), "", Timestamp::from_millis(5000));
        let signature = &post.headers.iter().find(|(name, _)| *name == "webhook-signature").unwrap().1;
        assert_eq!(signature.split(' ').count(), 2);
        for none in ["whsec_", "short", "whsec_äöü", SECRET.trim_end_matches('w')] {
            assert!(keys(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_receiver_that_is_gone_says_so_and_a_redirect_is_not_followed() {
        let judged = |status| judge(&Reply { status, retry_after: None, body: String::new() }).outcome;
        assert_eq!([judged(204), judged(410), judged(302)], [Outcome::Taken, Outcome::Gone, Outcome::Refused]);
    }
}
