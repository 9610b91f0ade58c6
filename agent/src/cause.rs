//! An error and its causes in one line.

use std::error::Error;

/// The messages of `error` and its sources. A source that is told by the message before it (many libraries do that) is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connect: {0}")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_cause_is_told_once() {
        let error = Outer(io::Error::other("refused"));
        assert_eq!(chain(&error), "connect: refused");
        let error = anyhow::Error::from(error).context("the uplink");
        assert_eq!(chain(&*error), "the uplink: connect: refused");
    }
}
