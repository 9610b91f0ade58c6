//! Reads a configuration file so that everything that is wrong with it is known at once: what cannot be read is noted with its place and
//! left out, and the rest is read without it.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::{
    Deserializer, Spanned,
    de::{DeArray, DeString, DeTable, DeValue, Error},
};

use super::Places;

/// Most mistakes that are told at once; with more than that it is another file that was meant.
const MOST: usize = 50;

/// One step of a path in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

type Path = Vec<Step>;

/// Mistakes with their places, and what was left out because of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mistakes {
    pub(super) lines: Vec<String>,
    left_out: Vec<Path>,
}

impl Mistakes {
    /// Whether anything at `path`, above or below it, was left out: then what is there may not be what was meant.
    pub(super) fn touch(&self, path: &[&str]) -> bool {
        let same = |(step, wanted): (&Step, &&str)| matches!(step, Step::Key(key) if key == wanted);
        self.left_out.iter().any(|left| left.iter().zip(path).all(same))
    }
}

/// Reads the text of `places` as far as it goes. A text that is no TOML is an error, which tells of every place that is none.
pub(super) fn read<T: DeserializeOwned>(places: &Places) -> Result<(T, Mistakes), Vec<String>> {
    let (root, errors) = DeTable::parse_recoverable(&places.text);
    if !errors.is_empty() {
        let told = |error: &Error| format!("{}: {}", places.of(start(error)), error.message());
        return Err(errors.iter().take(MOST).map(told).collect());
    }
    let (span, mut root, mut mistakes) = (root.span(), root.into_inner(), Mistakes::default());
    let attempt = |root: &DeTable<'_>| T::deserialize(Deserializer::from(Spanned::new(span.clone(), root.clone())));
    loop {
        let error = match attempt(&root) {
            Ok(file) => return Ok((file, mistakes)),
            Err(error) => error,
        };
        let (mut path, by_key) = at(&root, error.span());
        let mut place = start(&error);
        if !by_key {
            while let Some(key) = culprit(&root, &path, &error, attempt) {
                path.push(key);
                let unknown = error.message().starts_with("unknown field");
                place = place_of(&root, &path, unknown).unwrap_or(place);
            }
        }
        // What is missing because it was left out has been told.
        let follows = missing(&error).is_some_and(|key| {
            let missing = [&path[..], &[Step::Key(key.to_owned())]].concat();
            mistakes.left_out.contains(&missing)
        });
        if !follows {
            let heading = heading(&root, &path, error.message());
            mistakes.lines.push(format!("{}: {heading}{}", places.of(place), error.message()));
        }
        if mistakes.lines.len() >= MOST || !remove(&mut root, &path) {
            return Err(mistakes.lines);
        }
        mistakes.left_out.push(path);
    }
}

/// Where the value at `path` begins, or as much of the path as there is.
pub(super) fn place(text: &str, path: &[&str]) -> usize {
    let (root, _) = DeTable::parse_recoverable(text);
    let path: Path = path.iter().map(|key| Step::Key((*key).to_owned())).collect();
    let mut there = (1..=path.len()).rev().filter_map(|length| place_of(root.get_ref(), &path[..length], false));
    there.next().unwrap_or(0)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

fn missing(error: &Error) -> Option<&str> {
    error.message().strip_prefix("missing field `")?.strip_suffix('`')
}

/// The smallest thing in the file that holds a span, and whether it is its key that does. A table's own span is that of its heading, so
/// all are looked at.
fn at(root: &DeTable<'_>, span: Option<Range<usize>>) -> (Path, bool) {
    struct Search {
        wanted: Range<usize>,
        best: Option<(usize, Path, bool)>,
    }
    impl Search {
        fn offer(&mut self, span: &Range<usize>, path: &Path, by_key: bool) {
            let holds = span.start <= self.wanted.start && self.wanted.end <= span.end && !span.is_empty();
            if holds && self.best.as_ref().is_none_or(|(length, ..)| span.len() <= *length) {
                self.best = Some((span.len(), path.clone(), by_key));
            }
        }

        fn table(&mut self, table: &DeTable<'_>, path: &mut Path) {
            for (key, value) in table {
                path.push(Step::Key(key.get_ref().to_string()));
                self.value(value, path);
                self.offer(&key.span(), path, true);
                path.pop();
            }
        }

        fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &mut Path) {
            self.offer(&value.span(), path, false);
            match value.get_ref() {
                DeValue::Table(table) => self.table(table, path),
                DeValue::Array(array) => {
                    for (nth, value) in array.iter().enumerate() {
                        path.push(Step::Index(nth));
                        self.value(value, path);
                        path.pop();
                    }
                }
                _ => {}
            }
        }
    }
    let Some(wanted) = span else { return (Path::new(), false) };
    let mut search = Search { wanted, best: None };
    search.table(root, &mut Path::new());
    search.best.map(|(_, path, by_key)| (path, by_key)).unwrap_or_default()
}

/// What is told of a table as a whole may be about one thing in it: then it is told no longer without that.
fn culprit<T>(
    root: &DeTable<'_>,
    path: &[Step],
    error: &Error,
    attempt: impl Fn(&DeTable<'_>) -> Result<T, Error>,
) -> Option<Step> {
    let table = match path {
        [] => root,
        path => look(root, path)?.1.get_ref().as_table()?,
    };
    let keys = table.keys().map(|key| Step::Key(key.get_ref().to_string()));
    keys.into_iter().find(|key| {
        let mut without = root.clone();
        remove(&mut without, &[path, std::slice::from_ref(key)].concat());
        match attempt(&without) {
            Ok(_) => missing(error).is_none(),
            Err(other) => other.message() != error.message() && missing(&other).is_none(),
        }
    })
}

/// The key, if the last step is one, and the value at a path.
fn look<'a, 'i>(
    root: &'a DeTable<'i>,
    path: &[Step],
) -> Option<(Option<&'a Spanned<DeString<'i>>>, &'a Spanned<DeValue<'i>>)> {
    let (last, above) = path.split_last()?;
    let above = if above.is_empty() { None } else { Some(look(root, above)?.1.get_ref()) };
    match last {
        Step::Key(key) => {
            let table = above.map_or(Some(root), DeValue::as_table)?;
            let (key, value) = table.iter().find(|(known, _)| known.get_ref() == key)?;
            Some((Some(key), value))
        }
        Step::Index(nth) => Some((None, above?.as_array()?.get(*nth)?)),
    }
}

fn place_of(root: &DeTable<'_>, path: &[Step], of_key: bool) -> Option<usize> {
    let (key, value) = look(root, path)?;
    Some(key.filter(|_| of_key).map_or(value.span().start, |key| key.span().start))
}

/// Returns whether there was anything.
fn remove(root: &mut DeTable<'_>, path: &[Step]) -> bool {
    match path {
        [] | [Step::Index(_), ..] => false,
        [Step::Key(key)] => root.remove(key.as_str()).is_some(),
        [Step::Key(key), rest @ ..] => root.get_mut(key.as_str()).is_some_and(|value| remove_from(value, rest)),
    }
}

fn remove_from(value: &mut Spanned<DeValue<'_>>, path: &[Step]) -> bool {
    match (value.get_mut(), path) {
        (DeValue::Table(table), path) => remove(table, path),
        (DeValue::Array(array), [Step::Index(nth)]) if *nth < array.len() => {
            let mut without = DeArray::new();
            let kept = array.iter().enumerate().filter(|(other, _)| other != nth);
            kept.for_each(|(_, kept)| without.push(kept.clone()));
            *array = without;
            true
        }
        (DeValue::Array(array), [Step::Index(nth), rest @ ..]) => {
            array.get_mut(*nth).is_some_and(|value| remove_from(value, rest))
        }
        _ => false,
    }
}

/// The path in front of a message: `[table]`, and the key unless the message names it.
fn heading(root: &DeTable<'_>, path: &[Step], message: &str) -> String {
    let mut keys: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    let table = look(root, path).is_some_and(|(_, value)| value.get_ref().is_table());
    let named = message.starts_with("unknown field");
    let key = if named || !table { keys.pop() } else { None };
    let section = if keys.is_empty() { String::new() } else { format!("[{}] ", keys.join(".")) };
    match key {
        Some(key) if !named => format!("{section}`{key}`: "),
        _ => section,
    }
}
