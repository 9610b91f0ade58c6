//! What came of an attempt.

use lobby_domain::{notice::clipped, time::Span};
use serde_json::Value;

use super::http::{HttpError, Reply};

/// Most bytes of what a receiver said that are kept.
const KEPT: usize = 500;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Taken,
    /// Not this time.
    Later(Option<Span>),
    /// The receiver wants fewer messages, for so long if it says so.
    Throttled(Option<Span>),
    /// It will never be taken.
    Refused,
    /// The receiver is gone for good.
    Gone,
}

impl Outcome {
    /// In one word, for the database and metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Later(_) => "later",
            Self::Throttled(_) => "throttled",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// An outcome with what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Result {
    pub outcome: Outcome,
    /// What the receiver said, or why it said nothing.
    pub answer: String,
    /// Whether the receiver may have heard of the message.
    pub heard: bool,
}

impl Result {
    pub(super) fn new(outcome: Outcome, answer: &str) -> Self {
        // One line, so that it can stand in a list.
        let line = answer.split(char::is_control).collect::<Vec<_>>().join(" ");
        Self { outcome, answer: clipped(line.trim(), KEPT), heard: outcome == Outcome::Taken }
    }
}

impl From<HttpError> for Result {
    fn from(error: HttpError) -> Self {
        let (may_pass, heard) = (error.may_pass(), error.in_doubt());
        let outcome = if may_pass { Outcome::Later(None) } else { Outcome::Refused };
        Self { heard, ..Self::new(outcome, &format!("{:#}", anyhow::Error::from(error))) }
    }
}

/// What a status says where the body has no code of its own. A redirect is not followed, so it is a failure.
pub(super) fn by_status(reply: &Reply) -> Outcome {
    match reply.status {
        200..=299 => Outcome::Taken,
        429 => Outcome::Throttled(reply.retry_after),
        408 | 500..=599 => Outcome::Later(reply.retry_after),
        _ => Outcome::Refused,
    }
}

/// What a chat robot says: with status 200 also where it took nothing, so the code in its body counts. `fields` may hold it; `busy` and
/// `throttled` are codes that pass.
pub(super) fn by_code(reply: &Reply, fields: &[&str], throttled: &[i64], busy: &[i64]) -> Result {
    let by_status = by_status(reply);
    if by_status != Outcome::Taken {
        return Result::new(by_status, &reply.said());
    }
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let code = fields.iter().find_map(|field| body.get(*field)).and_then(Value::as_i64);
    let outcome = match code {
        Some(0) => Outcome::Taken,
        Some(code) if throttled.contains(&code) => Outcome::Throttled(reply.retry_after),
        Some(code) if busy.contains(&code) => Outcome::Later(reply.retry_after),
        Some(_) => Outcome::Refused,
        // Somebody else answered, such as the sign-in page of a network.
        None => Outcome::Later(None),
    };
    let said = if reply.body.trim().is_empty() { reply.said() } else { reply.body.clone() };
    Result::new(outcome, &said)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(200, Outcome::Taken)]
    #[case(204, Outcome::Taken)]
    #[case(301, Outcome::Refused)]
    #[case(400, Outcome::Refused)]
    #[case(404, Outcome::Refused)]
    #[case(408, Outcome::Later(Some(Span::from_secs(7))))]
    #[case(429, Outcome::Throttled(Some(Span::from_secs(7))))]
    #[case(503, Outcome::Later(Some(Span::from_secs(7))))]
    fn a_status_says_what_to_do(#[case] status: u16, #[case] expected: Outcome) {
        let reply = Reply { status, retry_after: Some(Span::from_secs(7)), body: String::new() };
        assert_eq!(by_status(&reply), expected);
    }

    #[test]
    fn what_is_said_is_kept_in_one_line_and_cut() {
        let said = Result::new(Outcome::Refused, &format!("a\r\nb{}", "门".repeat(500)));
        assert!(said.answer.starts_with("a  b门") && said.answer.len() <= KEPT, "{said:?}");
    }
}
