//! A file of the pack, and places in it.

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The name under which it was given.
    pub(super) name: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// The file `name` with `text`.
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { name, text, line_starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// Its text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// The file.
    pub(super) source: &'a Source<'a>,
    /// Bytes before the place.
    pub(super) offset: usize,
}

impl At<'_> {
    /// Line and column, both from 1; columns count characters.
    pub(super) fn position(self) -> (usize, usize) {
        let offset = self.source.text.floor_char_boundary(self.offset);
        let line = self.source.line_starts.partition_point(|start| *start <= offset);
        let start = self.source.line_starts[line - 1];
        (line, self.source.text[start..offset].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::start(0, (1, 1))]
    #[case::behind_chinese(5, (1, 4))]
    #[case::inside_a_character(3, (1, 3))]
    #[case::second_line(9, (2, 1))]
    #[case::past_the_end(99, (2, 2))]
    fn columns_count_characters(#[case] offset: usize, #[case] position: (usize, usize)) {
        let source = Source::new("a.toml", "a 门=1\r\nb");
        assert_eq!(At { source: &source, offset }.position(), position);
    }
}
