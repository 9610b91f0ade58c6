//! Rows in statements of a few fixed sizes: each size is prepared once and stays prepared, however many rows a batch has.

/// Rows of one statement, the largest first. A batch needs at most three statements of each size but the largest.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cuts rows into parts of those sizes.
pub(super) fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        rows.split_off(..size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part_and_parts_have_few_sizes() {
        for count in 0..600 {
            let rows: Vec<usize> = (0..count).collect();
            let cut: Vec<&[usize]> = parts(&rows).collect();
            assert_eq!(cut.concat(), rows);
            assert!(cut.iter().all(|part| SIZES.contains(&part.len())));
            assert!(cut.len() <= count / 256 + 12);
        }
    }
}
