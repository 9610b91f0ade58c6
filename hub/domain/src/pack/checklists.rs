//! Rounds of posts.

use jiff::{SignedDuration, civil::Time};

use super::{
    basics::{label, some},
    names::{Names, kebab, section},
    node::{Name, Node, Table},
    rules::Declared,
};
use crate::{
    check::{Anchor, Checklist, Due, Item, Photo},
    time::Span,
};

/// How long after its time a round is missed, where the pack says nothing of that.
const CLOSES: Span = Span::from_mins(15);
/// The longest time that a round is open before and after its time: rounds of one day are not made on another.
const LONGEST: Span = Span::from_mins(12 * 60);

const PHOTOS: [(&str, Photo); 3] =
    [("none", Photo::None), ("optional", Photo::Optional), ("required", Photo::Required)];
const MOMENTS: [(&str, Anchor); 3] = [("ready", Anchor::Ready), ("open", Anchor::Open), ("close", Anchor::Close)];

/// The checklists of one file.
pub(super) fn checklists<'a>(file: &Table<'a>, declared: &Declared<'a>, names: &mut Names<'a>) -> Vec<Checklist> {
    section(file, "checklist", names).into_iter().filter_map(|(name, node)| checklist(declared, name, node)).collect()
}

fn checklist<'a>(declared: &Declared<'a>, name: Name<'a>, node: Node<'a>) -> Option<Checklist> {
    let table = node.table()?.placed(name.at);
    kebab(table.log, name);
    let label = table.required("label").and_then(label);
    let clauses = declared_names(&table, "clauses", &declared.clauses);
    let post = table.required("post").and_then(|node| declared_name(node, &declared.posts));
    let takes_over = optional(&table, "takes_over", |node| declared_name(node, &declared.posts));
    let due = table.required("due").and_then(due);
    let opens = table.required("opens").and_then(|node| within(some(node, "opens")?, node));
    let closes = table.optional("closes").map_or(Some(CLOSES), |node| within(some(node, "closes")?, node));
    let items = table.required("items").and_then(|node| items(declared, node));
    table.finish();
    Some(Checklist {
        id: name.text.into(),
        label: label?,
        clauses: clauses?,
        post: post?,
        takes_over: takes_over.ok()?,
        due: due?,
        opens: opens?,
        closes: closes?,
        items: items?,
    })
}

/// What `read` makes of `key`, if it is there; `Err` if it is there and wrong, which was noted.
fn optional<'a, T>(
    table: &Table<'a>,
    key: &'static str,
    read: impl FnOnce(Node<'a>) -> Option<T>,
) -> Result<Option<T>, ()> {
    table.optional(key).map(|node| read(node).ok_or(())).transpose()
}

fn declared_name<'a>(node: Node<'a>, names: &Names<'a>) -> Option<Box<str>> {
    node.name().filter(|name| names.check(node.log, *name)).map(|name| name.text.into())
}

fn declared_names<'a>(table: &Table<'a>, key: &'static str, declared: &Names<'a>) -> Option<Vec<Box<str>>> {
    known(table.required(key)?, declared)
}

fn known<'a>(list: Node<'a>, declared: &Names<'a>) -> Option<Vec<Box<str>>> {
    let names = list.names()?;
    let unknown = names.iter().filter(|name| !declared.check(list.log, **name)).count();
    (unknown == 0).then(|| names.into_iter().map(|name| name.text.into()).collect())
}

fn within(span: Span, node: Node<'_>) -> Option<Span> {
    if span > LONGEST {
        node.wrong(format!("{span} is too long for a round: use at most {LONGEST}"));
        return None;
    }
    Some(span)
}

fn due(node: Node<'_>) -> Option<Vec<Due>> {
    let list = node.list()?;
    if list.is_empty() {
        node.wrong("a round without a time is never made: say by when, such as \"08:20\"");
        return None;
    }
    let (all, read) = (list.len(), list.into_iter().filter_map(moment).collect::<Vec<_>>());
    (read.len() == all).then_some(read)
}

/// `08:20`, `close`, or `close - 15m`.
fn moment(node: Node<'_>) -> Option<Due> {
    let text = node.text()?;
    let (word, sign, span) = match text.split_once(['+', '-']) {
        None => (text.trim(), 1, Some(Span::ZERO)),
        Some((word, span)) => {
            let span: Option<Span> = span.trim().parse().ok();
            (word.trim(), if text.contains('-') { -1 } else { 1 }, span.filter(|span| *span <= LONGEST))
        }
    };
    let named = MOMENTS.iter().find(|(name, _)| *name == word).map(|(_, anchor)| *anchor);
    let timed = || Time::strptime("%H:%M", word).ok().map(Anchor::At);
    let due = named
        .or_else(timed)
        .zip(span)
        .map(|(anchor, span)| Due { anchor, later: SignedDuration::from_millis(sign * span.millis()) });
    if due.is_none() {
        let known = MOMENTS.map(|(name, _)| name);
        let says = format!(
            "`{text}` is no time of a day: use \"08:20\", `ready`, `open` or `close`, with up to {LONGEST} more or less, \
             such as \"close - 15m\""
        );
        node.unknown(says, word, known);
    }
    due
}

fn items<'a>(declared: &Declared<'a>, node: Node<'a>) -> Option<Vec<Item>> {
    let entries = node.table()?.entries();
    if entries.is_empty() {
        node.wrong("a round without an item has nothing to look at");
        return None;
    }
    let all = entries.len();
    let read: Vec<Item> = entries.into_iter().filter_map(|(name, node)| item(declared, name, node)).collect();
    (read.len() == all).then_some(read)
}

fn item<'a>(declared: &Declared<'a>, name: Name<'a>, node: Node<'a>) -> Option<Item> {
    let table = node.table()?.placed(name.at);
    kebab(table.log, name);
    let label = table.required("label").and_then(label);
    let count = optional(&table, "count", count);
    let photo = table.optional("photo").map_or(Some(Photo::None), |node| node.one_of(&PHOTOS));
    let kinds = table.optional("devices");
    if let (Some(node), Ok(Some(_))) = (kinds, count) {
        node.wrong("what is counted is no device: use `count` or `devices`, not both");
    }
    let devices = kinds.map_or_else(|| Some(Vec::new()), |node| known(node, &declared.kinds));
    let department = optional(&table, "department", |node| declared_name(node, &declared.departments));
    let priority = optional(&table, "priority", |node| declared_name(node, &declared.priorities));
    table.finish();
    Some(Item {
        id: name.text.into(),
        label: label?,
        count: count.ok()?,
        photo: photo?,
        devices: devices?,
        department: department.ok()?,
        priority: priority.ok()?,
    })
}

fn count(node: Node<'_>) -> Option<u32> {
    let number = node.number()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a whole number of that range")]
    let count = (number.fract() == 0.0 && (1.0..=9999.0).contains(&number)).then_some(number as u32);
    if count.is_none() {
        node.wrong(format!("{number} things cannot be counted: use a whole number from 1 to 9999"));
    }
    count
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::pack::{BUILT_IN, Pack};

    const ROUND: &str = r#"[checklist.count]
label = { zh = "清点", en = "Count" }
clauses = ["REC-S3.8"]
post = "reception"
takes_over = "reception"
due = ["08:20", "close - 15m"]
opens = "1h"
items.balls = { label = { zh = "球", en = "Balls" }, count = 22, photo = "optional", department = "it", priority = "P3" }
items.tables = { label = { zh = "球台", en = "Table" }, devices = ["snooker-table"] }
"#;

    /// The built-in pack with the round in place of its own.
    fn load(round: &str) -> Result<Pack, String> {
        let others = BUILT_IN.into_iter().filter(|(name, _)| *name != "checklists.toml");
        let files: Vec<(&str, &str)> = others.chain([("rounds.toml", round)]).collect();
        Pack::load(&files).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_round_is_read_with_its_items_in_their_order() {
        let [round] = load(ROUND).expect("a pack").checklists.try_into().expect("one");
        assert_eq!((&*round.id, round.due.len(), round.closes.to_string()), ("count", 2, "15m".to_owned()));
        let items: Vec<(&str, Option<u32>)> = round.items.iter().map(|item| (&*item.id, item.count)).collect();
        assert_eq!(items, [("balls", Some(22)), ("tables", None)]);
    }

    #[rstest]
    #[case::no_such_post(
        "post = \"reception\"",
        "post = ▶\"recption\"",
        "there is no post `recption`; did you mean `reception`?"
    )]
    #[case::no_such_clause("\"REC-S3.8\"", "▶\"REC-S9\"", "there is no clause `REC-S9`")]
    #[case::no_post("post = \"reception\"\n", "", "`post` is missing")]
    #[case::no_time("\"08:20\"", "▶\"8 o'clock\"", "`8 o'clock` is no time of a day")]
    #[case::misspelt_time("\"close - 15m\"", "▶\"closing - 15m\"", "`closing - 15m` is no time of a day")]
    #[case::too_late("\"close - 15m\"", "▶\"close + 3d\"", "is no time of a day")]
    #[case::never("due = [\"08:20\", \"close - 15m\"]", "due = ▶[]", "a round without a time is never made")]
    #[case::opens_for_days("opens = \"1h\"", "opens = ▶\"2d\"", "2d is too long for a round: use at most 12h")]
    #[case::half_a_ball("count = 22", "count = ▶21.5", "21.5 things cannot be counted")]
    #[case::photo("photo = \"optional\"", "photo = ▶\"maybe\"", "`maybe` is none of none, optional, required")]
    #[case::no_such_kind("\"snooker-table\"", "▶\"snooker-tabel\"", "did you mean `snooker-table`?")]
    #[case::counted_devices("devices = [", "count = 2, devices = ▶[", "use `count` or `devices`, not both")]
    #[case::no_such_department("\"it\"", "▶\"its\"", "there is no department `its`; did you mean `it`?")]
    #[case::a_key("takes_over", "▶take_over", "`take_over` is not a key here; did you mean `takes_over`?")]
    #[case::an_item("items.tables", "items.▶Tables", "`Tables` is not a name")]
    fn a_mistake_in_a_round_is_told_at_its_place(#[case] from: &str, #[case] to: &str, #[case] message: &str) {
        let text = ROUND.replacen(from, to, 1);
        assert_ne!(text, ROUND);
        let errors = load(&text.replace('▶', "")).expect_err("a mistake");
        assert!(errors.contains(message) && errors.lines().count() == 1, "{errors}");
        if let Some((before, _)) = text.split_once('▶') {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            assert!(errors.starts_with(&format!("rounds.toml:{line}:{column}: ")), "{errors}");
        }
    }
}
