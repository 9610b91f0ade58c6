//! Rows in statements of a few fixed sizes: each size is prepared once and stays prepared, however many rows a batch has.

use std::iter;

/// Most rows of one statement.
const MOST: usize = 256;

/// Cuts rows into parts, each for one statement whose size is a power of two: what is missing to it is filled up by repeating the part's
/// last row. So the statement must take a row twice as well as once. A statement costs two changes of threads, which under load take longer
/// than many rows that are there already.
pub(super) fn parts<T>(rows: &[T]) -> impl Iterator<Item = impl Iterator<Item = &T>> {
    rows.chunks(MOST).map(|part| {
        let missing = part.len().next_power_of_two() - part.len();
        part.iter().chain(iter::repeat_n(&part[part.len() - 1], missing))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part_and_parts_have_few_sizes() {
        for count in 0..600 {
            let rows: Vec<usize> = (0..count).collect();
            let cut: Vec<Vec<usize>> = parts(&rows).map(|part| part.copied().collect()).collect();
            assert!(cut.iter().all(|part| part.len().is_power_of_two() && part.len() <= MOST));
            assert_eq!(cut.len(), count.div_ceil(MOST), "as few statements as can be");
            let mut stored = cut.concat();
            stored.dedup();
            assert_eq!(stored, rows);
        }
    }
}
