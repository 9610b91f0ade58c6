//! Keyset pages: a cursor names the last row of a page, so that rows that come in between shift nothing.

use std::{fmt, str::FromStr};

/// Where a page ended: the sort key of its last row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Vec<String>);

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`after` is not the `next` of an earlier page")]
pub struct CursorError;

impl Cursor {
    /// The `at`th part as a number.
    pub fn number(&self, at: usize) -> Result<i64, CursorError> {
        self.0.get(at).and_then(|part| part.parse().ok()).ok_or(CursorError)
    }

    /// The `at`th part as text.
    pub fn text(&self, at: usize) -> Result<&str, CursorError> {
        self.0.get(at).map(String::as_str).ok_or(CursorError)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("_"))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.is_empty() || text.len() > 200 {
            return Err(CursorError);
        }
        Ok(Self(text.split('_').map(str::to_owned).collect()))
    }
}

/// Cuts a result that was asked for with one row more than `limit` to `limit` rows; the cursor is there if there was one more.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: i64, key: impl Fn(&T) -> Vec<String>) -> Option<Cursor> {
    let limit = usize::try_from(limit).unwrap_or(0);
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    rows.last().map(|row| Cursor(key(row)))
}
