//! The texts of what was not entered.

use crate::texts::texts;

texts! {
    Texts;
    not_entered: "没有记录，请改正后重新提交", "Nothing was entered: put this right and send it again";
    out_of_date: "没有记录：页面已经过时", "Nothing was entered: something has changed since the page was opened";
    typed: "您刚才填的：", "What you typed:";
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_text_is_empty_and_both_languages_have_the_same_places() {
        crate::texts::hold_for_all(super::ALL);
    }
}
