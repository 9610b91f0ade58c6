//! Rows in statements of a few fixed sizes: each size is written and prepared once and stays so, however many rows a batch has.

use std::{iter, sync::OnceLock};

use sqlx::{Sqlite, query::Query, sqlite::SqliteArguments};

/// Rows of a statement.
const SIZES: [usize; 16] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
const MOST: usize = SIZES[SIZES.len() - 1];

/// A statement of SQLite that inserts rows.
#[derive(Debug)]
pub(super) struct Insert {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    sizes: [OnceLock<String>; SIZES.len()],
}

impl Insert {
    /// `head`, then rows of so many columns, then `tail`.
    pub(super) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, sizes: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// The statements for all of `rows`, each to be bound to the columns of its rows one after the other.
    pub(super) fn parts<'a, T>(&'static self, rows: &'a [T]) -> impl Iterator<Item = (Statement, Part<'a, T>)> {
        rows.chunks(MOST).map(|part| {
            let (index, size) = size(part.len());
            let sql = self.sizes[index].get_or_init(|| self.write(size)).as_str();
            (sqlx::query(sql), part.iter().chain(iter::repeat_n(&part[part.len() - 1], size - part.len())))
        })
    }

    fn write(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        format!("{} VALUES {}{}", self.head, vec![row; rows].join(", "), self.tail)
    }
}

/// What is to be bound and executed.
pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;
/// The rows of one statement. What is missing to its size is filled up by repeating the last row, so the statement must take a row twice as
/// well as once: another statement would cost two changes of threads, which under load take longer than many rows that are there already.
pub(super) type Part<'a, T> = iter::Chain<std::slice::Iter<'a, T>, iter::RepeatN<&'a T>>;

/// The smallest size that holds so many rows, and its place among the sizes.
fn size(rows: usize) -> (usize, usize) {
    let index = SIZES.partition_point(|size| *size < rows);
    (index, SIZES[index])
}

#[cfg(test)]
mod tests {
    use sqlx::Execute;

    use super::*;

    static INSERT: Insert = Insert::new("INSERT INTO t (a, b)", 2, " ON CONFLICT DO NOTHING");

    #[test]
    fn every_row_is_in_one_part_and_parts_have_few_sizes() {
        for count in 0..600 {
            let rows: Vec<usize> = (0..count).collect();
            let mut stored = Vec::new();
            let mut parts = 0;
            for (statement, part) in INSERT.parts(&rows) {
                let part: Vec<usize> = part.copied().collect();
                assert!(SIZES.contains(&part.len()));
                assert_eq!(statement.sql().as_str().matches("(?, ?)").count(), part.len());
                stored.extend(part);
                parts += 1;
            }
            assert_eq!(parts, count.div_ceil(MOST), "as few statements as can be");
            assert!(stored.len() <= count + count / 2 + 1, "{} for {count}", stored.len());
            stored.dedup();
            assert_eq!(stored, rows);
        }
    }

    #[test]
    fn a_statement_has_a_place_for_each_column_of_each_row() {
        let (statement, _) = INSERT.parts(&[(), ()]).next().unwrap();
        assert_eq!(statement.sql().as_str(), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING");
    }
}
