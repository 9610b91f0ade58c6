//! PJLink lines, read and written without any I/O (class 1 and 2).

use md5::{Digest, Md5};

/// Longest line, in bytes, its end included.
pub(super) const MAX_LINE: usize = 136;

/// How a device greets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It wants no password.
    Open,
    /// It wants the digest of this random text and the password.
    Salted(Box<str>),
}

/// What a device answers to one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The value asked for; may be empty.
    Value(Box<str>),
    /// `ERR1`: it does not know the query. `ERR2` is the same to us, as our queries have no parameter to be wrong.
    Undefined,
    /// `ERR3`: not now, as many say in standby.
    NotNow,
    /// `ERR4`: the device has failed.
    Failure,
}

/// One line after the greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// The answer to the query asked.
    Answer(Answer),
    /// `PJLINK ERRA`: the password is wrong.
    Refused,
    /// Anything else, such as a late answer to an earlier query.
    Other,
}

/// Why bytes are not PJLink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    /// The peer sends a line that no PJLink device sends.
    #[error("it sends a line of more than {MAX_LINE} bytes, so it does not speak PJLink")]
    TooLong,
    /// The first line is no greeting.
    #[error("it does not greet as a PJLink device does")]
    Greeting,
}

/// Cuts a stream of bytes into lines. Both CR and LF end one; empty lines are skipped.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Takes in what was received.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole line, without its end; `None` if more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<String>, WireError> {
        loop {
            let Some(end) = self.held.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
                return if self.held.len() < MAX_LINE { Ok(None) } else { Err(WireError::TooLong) };
            };
            if end >= MAX_LINE {
                return Err(WireError::TooLong);
            }
            let line = String::from_utf8_lossy(&self.held[..end]).into_owned();
            self.held.drain(..=end);
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }
}

/// The text after `prefix`, compared without regard to case.
fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix)).map(|_| &text[prefix.len()..])
}

/// Reads the line with which a device greets.
pub(super) fn greeting(line: &str) -> Result<Greeting, WireError> {
    let mut words = after(line, "PJLINK ").ok_or(WireError::Greeting)?.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("0"), None, _) => Ok(Greeting::Open),
        (Some("1"), Some(salt), None) => Ok(Greeting::Salted(salt.into())),
        _ => Err(WireError::Greeting),
    }
}

/// Reads a line that may answer the query `command`.
pub(super) fn line(text: &str, command: &str) -> Line {
    if after(text, "PJLINK ERRA").is_some() {
        return Line::Refused;
    }
    // Some class 2 devices answer with `%1` to `%2`: the digit is not compared.
    let value = after(text, "%1").or_else(|| after(text, "%2")).and_then(|rest| after(rest, command));
    let Some(value) = value.and_then(|rest| rest.strip_prefix('=')) else {
        return Line::Other;
    };
    let value = value.trim();
    Line::Answer(match value.to_ascii_uppercase().as_str() {
        "ERR1" | "ERR2" => Answer::Undefined,
        "ERR3" => Answer::NotNow,
        "ERR4" => Answer::Failure,
        _ => Answer::Value(value.into()),
    })
}

/// The line that asks `command` of a device, with the digest in front if it is the first of a guarded session.
pub(super) fn query(digest: Option<&str>, class: u8, command: &str) -> String {
    format!("{}%{class}{command} ?\r", digest.unwrap_or_default())
}

/// What proves the password: MD5 of the random text and the password, in lower-case hexadecimal.
pub(super) fn digest(salt: &str, password: &str) -> String {
    let sum = Md5::new().chain_update(salt).chain_update(password).finalize();
    sum.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_specification() {
        assert_eq!(digest("498e4a67", "JBMIAProjectorLink"), "5d8409bc1c3fa39749434aa3a5c38682");
    }

    #[rstest]
    #[case::open("PJLINK 0", Ok(Greeting::Open))]
    #[case::lower_case("pjlink 0", Ok(Greeting::Open))]
    #[case::guarded("PJLINK 1 498e4a67", Ok(Greeting::Salted("498e4a67".into())))]
    #[case::no_salt("PJLINK 1", Err(WireError::Greeting))]
    #[case::locked("PJLINK ERRA", Err(WireError::Greeting))]
    #[case::web_server("HTTP/1.1 400 Bad Request", Err(WireError::Greeting))]
    fn a_greeting_says_whether_a_password_is_wanted(#[case] text: &str, #[case] meaning: Result<Greeting, WireError>) {
        assert_eq!(greeting(text), meaning);
    }

    #[rstest]
    #[case::value("%1POWR=1", Line::Answer(Answer::Value("1".into())))]
    #[case::lower_case("%1powr=1", Line::Answer(Answer::Value("1".into())))]
    #[case::other_class("%2POWR=1", Line::Answer(Answer::Value("1".into())))]
    #[case::empty("%1POWR=", Line::Answer(Answer::Value("".into())))]
    #[case::undefined("%1POWR=ERR1", Line::Answer(Answer::Undefined))]
    #[case::lower_case_error("%1POWR=err3", Line::Answer(Answer::NotNow))]
    #[case::failed("%1POWR=ERR4", Line::Answer(Answer::Failure))]
    #[case::wrong_password("PJLINK ERRA", Line::Refused)]
    #[case::late_answer("%1CLSS=2", Line::Other)]
    #[case::noise("%1PO", Line::Other)]
    #[case::not_at_a_character_border("%1P门口", Line::Other)]
    fn a_line_is_an_answer_only_to_its_own_query(#[case] text: &str, #[case] meaning: Line) {
        assert_eq!(line(text, "POWR"), meaning);
    }

    #[test]
    fn a_query_carries_the_digest_only_where_one_is_given() {
        assert_eq!(query(None, 2, "IRES"), "%2IRES ?\r");
        assert_eq!(query(Some("5d84"), 1, "POWR"), "5d84%1POWR ?\r");
    }

    #[test]
    fn cr_and_crlf_end_a_line_even_when_they_come_apart() {
        let mut lines = Lines::default();
        lines.push(b"PJLINK 0\r");
        assert_eq!(lines.next(), Ok(Some("PJLINK 0".into())));
        lines.push(b"\n%1PO");
        assert_eq!(lines.next(), Ok(None));
        lines.push(b"WR=1\r\n%1CLSS=2\r");
        assert_eq!(lines.next(), Ok(Some("%1POWR=1".into())));
        assert_eq!(lines.next(), Ok(Some("%1CLSS=2".into())));
        assert_eq!(lines.next(), Ok(None));
    }

    #[test]
    fn the_longest_line_is_read_and_a_longer_one_ends_the_session() {
        let mut lines = Lines::default();
        lines.push(&[b'x'; MAX_LINE - 1]);
        assert_eq!(lines.next(), Ok(None));
        lines.push(b"\r");
        assert_eq!(lines.next(), Ok(Some("x".repeat(MAX_LINE - 1))));
        lines.push(&[b'x'; MAX_LINE]);
        assert_eq!(lines.next(), Err(WireError::TooLong));
        lines.push(b"\r");
        assert_eq!(lines.next(), Err(WireError::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines_within_the_limit_or_an_error(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
            let mut lines = Lines::default();
            'session: for chunk in chunks {
                lines.push(&chunk);
                loop {
                    match lines.next() {
                        Ok(Some(text)) => {
                            prop_assert!(!text.is_empty() && !text.contains(['\r', '\n']));
                            let _ = greeting(&text);
                            let _ = line(&text, "POWR");
                        }
                        Ok(None) => break,
                        Err(_) => break 'session,
                    }
                }
                prop_assert!(lines.held.len() < MAX_LINE);
            }
        }

        #[test]
        fn lines_are_the_same_however_the_bytes_are_cut(texts in prop::collection::vec("[ -~]{1,40}", 0..6), cut in 1_usize..7) {
            let sent = texts.iter().flat_map(|text| text.bytes().chain(*b"\r")).collect::<Vec<u8>>();
            let mut lines = Lines::default();
            let mut received = Vec::new();
            for chunk in sent.chunks(cut) {
                lines.push(chunk);
                while let Some(text) = lines.next().unwrap() {
                    received.push(text);
                }
            }
            prop_assert_eq!(received, texts);
        }

        #[test]
        fn any_value_comes_back_as_it_was_sent(value in "[!-~]{1,40}") {
            prop_assume!(!value.to_ascii_uppercase().starts_with("ERR"));
            prop_assert_eq!(line(&format!("%1NAME={value}"), "NAME"), Line::Answer(Answer::Value(value.into())));
        }
    }
}
