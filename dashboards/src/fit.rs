//! Texts cut to the room that a printed form has for them, so that no text pushes a form to a second page.

/// Cuts texts, and remembers whether any was too long.
#[derive(Debug, Default)]
pub(crate) struct Fit {
    /// Whether something was left out.
    pub cut: bool,
}

impl Fit {
    /// `text` in at most `lines` lines of `ems` widths of a Chinese character; what does not fit ends in an ellipsis.
    ///
    /// Letters are taken to be as wide as those of wide fonts: a text is rather cut too early than by the edge of its box.
    pub(crate) fn lines(&mut self, text: &str, ems: u32, lines: u32) -> String {
        let (text, full) = (text.trim(), ems * 100);
        let (mut line, mut at, mut word) = (1, 0, 0);
        let mut kept = 0;
        for (index, c) in text.char_indices() {
            let wide = width(c);
            match c {
                '\n' => (line, at, word) = (line + 1, 0, 0),
                // A space at the end of a line takes no room.
                c if c.is_whitespace() => (at, word) = ((at + wide).min(full), 0),
                c => {
                    word = if c.is_ascii() { word + wide } else { wide };
                    at += wide;
                    if at > full {
                        // The whole word goes to the next line, unless it is longer than a line.
                        if word > full {
                            word = wide;
                        }
                        (line, at) = (line + 1, word);
                    }
                }
            }
            if line > lines {
                self.cut = true;
                return format!("{}…", text[..kept].trim_end());
            }
            if line < lines || at + width('…') <= full {
                kept = index + c.len_utf8();
            }
        }
        text.to_owned()
    }

    /// `text` in one line.
    pub(crate) fn line(&mut self, text: &str, ems: u32) -> String {
        self.lines(text, ems, 1)
    }
}

/// How wide a character is, in hundredths of a Chinese one.
fn width(c: char) -> u32 {
    match c {
        'W' | 'M' | 'm' | 'w' | '@' | '%' | '&' => 100,
        'A'..='Z' | '0'..='9' => 70,
        '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'i' | 'j' | 'l' | ' ' => 35,
        c if c.is_ascii() => 62,
        _ => 100,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fits("屏幕黑屏", 4, 1, "屏幕黑屏")]
    #[case::one_too_many("屏幕又黑屏", 4, 1, "屏幕又…")]
    #[case::two_lines("屏幕又黑屏了", 4, 2, "屏幕又黑屏了")]
    #[case::last_line("屏幕又黑屏了好几回", 4, 2, "屏幕又黑屏了好…")]
    #[case::own_lines("一\n二\n三", 9, 2, "一\n二…")]
    #[case::words_wrap_whole("the lamp of table one", 5, 2, "the lamp of tabl…")]
    #[case::long_word("aaaaaaaaaaaaaaaaaaaa", 3, 2, "aaaaaaa…")]
    #[case::spaces("  屏  ", 2, 1, "屏")]
    #[case::nothing("", 5, 1, "")]
    fn a_text_ends_in_an_ellipsis_where_its_room_ends(
        #[case] text: &str,
        #[case] ems: u32,
        #[case] lines: u32,
        #[case] kept: &str,
    ) {
        let mut fit = Fit::default();
        assert_eq!(fit.lines(text, ems, lines), kept);
        assert_eq!(fit.cut, kept.ends_with('…'));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_the_beginning_and_fits(text in "[a-zW 屏，\n]{0,60}", ems in 2..12u32, lines in 1..4u32) {
            let mut fit = Fit::default();
            let kept = fit.lines(&text, ems, lines);
            prop_assert!(text.trim().starts_with(kept.trim_end_matches('…')));
            let mut again = Fit::default();
            prop_assert_eq!(again.lines(&kept, ems, lines), kept);
            prop_assert!(!again.cut);
        }
    }
}
