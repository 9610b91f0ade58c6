//! A roster as a table of text, as spreadsheets write it: a heading, then a line for each duty, with date, post, shift and person.
//!
//! ```text
//! date,post,shift,person          日期,岗位,班次,人员
//! 2026-12-01,concierge,early,wang.li
//! 2026-12-01,concierge,22:00-06:00,chen
//! 2026-12-02,concierge,,          nobody is at this post on this day
//! ```

use std::{collections::BTreeMap, fmt};

use jiff::{civil::Date, tz::TimeZone};

use super::{Duty, Holder, Plan, Shifts, span};
use crate::{
    label::{Label, Lang},
    pack::{hours, nearest},
    service_hours::Shift,
};

/// The largest table, in bytes.
pub const LARGEST: usize = 512 * 1024;
/// Most characters of a field that are repeated in a mistake.
const SHORT: usize = 40;

/// What the words of a table mean.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// The site's time zone.
    pub zone: &'a TimeZone,
    /// The posts.
    pub posts: &'a BTreeMap<Box<str>, Label>,
    /// The site's shifts.
    pub shifts: &'a Shifts,
    /// Who may be on duty at the site, by what they sign in with.
    pub people: BTreeMap<String, Holder>,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The day.
    Date,
    /// The post.
    Post,
    /// The shift.
    Shift,
    /// Who.
    Person,
}

impl Column {
    const ALL: [Self; 4] = [Self::Date, Self::Post, Self::Shift, Self::Person];

    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::Date => ["date", "日期"],
            Self::Post => ["post", "岗位"],
            Self::Shift => ["shift", "班次"],
            Self::Person => ["person", "人员"],
        }
    }

    const fn name(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.names()[0],
            Lang::Zh => self.names()[1],
        }
    }
}

/// What is wrong in one place of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: Wrong,
}

/// What is wrong. The second text of some is what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is no text in UTF-8.
    Encoding,
    /// It is larger than any roster.
    Size,
    /// There is nothing in it but perhaps a heading.
    Empty,
    /// A quotation mark is never closed, or something follows the closing one.
    Quote,
    /// The heading lacks a column.
    NoColumn(Column),
    /// The heading has a column twice.
    Twice(Column),
    /// The heading has another column.
    Heading(String, Option<String>),
    /// A line has more or fewer fields than the heading.
    Fields(usize, usize),
    /// There is no such day.
    Date(String),
    /// There is no such post.
    Post(String, Option<String>),
    /// There is no such shift.
    Shift(String, Option<String>),
    /// Nobody of that name may be on duty there.
    Person(String, Option<String>),
    /// A shift without a person, or a person without a shift.
    Half(Column),
    /// The same person is at this post at this time already, in that line.
    Overlap(usize),
    /// A line says that nobody is there, and another that somebody is, or the same again.
    Nobody(usize),
}

impl Wrong {
    /// In words.
    pub fn say(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.english(),
            Lang::Zh => self.chinese(),
        }
    }

    fn english(&self) -> String {
        let meant =
            |name: &Option<String>| name.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        match self {
            Self::Encoding => "this is no text in UTF-8: save the table as `CSV UTF-8`".to_owned(),
            Self::Size => format!("the table is larger than {} KiB: import it in parts", LARGEST / 1024),
            Self::Empty => {
                "there is no line of a duty: write the heading `date,post,shift,person`, and a line for each duty"
                    .to_owned()
            }
            Self::Quote => {
                "a field that begins with `\"` ends with `\"`, and a `\"` within is written twice".to_owned()
            }
            Self::NoColumn(column) => format!("the heading has no column `{}`", column.name(Lang::En)),
            Self::Twice(column) => format!("the column `{}` is there twice", column.name(Lang::En)),
            Self::Heading(name, near) => format!("there is no column `{name}`{}", meant(near)),
            Self::Fields(found, wanted) => format!("the line has {found} fields, and the heading {wanted}"),
            Self::Date(text) => format!("`{text}` is not a date: write year, month and day, such as `2026-12-01`"),
            Self::Post(text, near) => format!("there is no post `{text}`{}", meant(near)),
            Self::Shift(text, None) => format!(
                "there is no shift `{text}`: name one of the site's shifts, or write its hours, such as `08:00-16:30`"
            ),
            Self::Shift(text, near) => format!("there is no shift `{text}`{}", meant(near)),
            Self::Person(text, near) => {
                format!("nobody who may sign in and works at this site signs in as `{text}`{}", meant(near))
            }
            Self::Half(column) => format!(
                "`{}` is empty: fill it in, or leave both shift and person empty where nobody is on duty",
                column.name(Lang::En)
            ),
            Self::Overlap(line) => format!("the same person is at this post at that time already, in line {line}"),
            Self::Nobody(line) => {
                format!("line {line} says otherwise: either nobody is at this post on this day, or somebody")
            }
        }
    }

    fn chinese(&self) -> String {
        let meant = |name: &Option<String>| name.as_ref().map(|name| format!("，是否指“{name}”？")).unwrap_or_default();
        match self {
            Self::Encoding => "文件不是 UTF-8 编码：请另存为“CSV UTF-8”格式".to_owned(),
            Self::Size => format!("表格超过 {} KiB：请分批导入", LARGEST / 1024),
            Self::Empty => "没有任何值班行：第一行写“日期,岗位,班次,人员”，以下每行一班".to_owned(),
            Self::Quote => "以 \" 开头的内容须以 \" 结尾，其中的 \" 写两次".to_owned(),
            Self::NoColumn(column) => format!("表头缺少“{}”列", column.name(Lang::Zh)),
            Self::Twice(column) => format!("“{}”列重复", column.name(Lang::Zh)),
            Self::Heading(name, near) => format!("没有“{name}”这一列{}", meant(near)),
            Self::Fields(found, wanted) => format!("该行有 {found} 项，表头有 {wanted} 项"),
            Self::Date(text) => format!("“{text}”不是日期：请写年月日，如 2026-12-01"),
            Self::Post(text, near) => format!("没有“{text}”这个岗位{}", meant(near)),
            Self::Shift(text, None) => {
                format!("没有“{text}”这个班次：请写本项目的班次名称，或起止时间，如 08:00-16:30")
            }
            Self::Shift(text, near) => format!("没有“{text}”这个班次{}", meant(near)),
            Self::Person(text, near) => format!("本项目没有登录名为“{text}”的可用账户{}", meant(near)),
            Self::Half(column) => format!("“{}”为空：请填写；若无人值班，班次和人员都留空", column.name(Lang::Zh)),
            Self::Overlap(line) => format!("同一人在该岗位的时间与第 {line} 行重叠"),
            Self::Nobody(line) => format!("与第 {line} 行矛盾：该岗位当天要么无人，要么有人"),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what.say(Lang::En))
    }
}

/// A field and where it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Field {
    line: usize,
    column: usize,
    text: String,
}

impl Field {
    fn wrong(&self, what: Wrong) -> Mistake {
        Mistake { line: self.line, column: self.column, what }
    }

    fn short(&self) -> String {
        self.text.chars().take(SHORT).collect()
    }
}

/// Reads a table: the plan that it is, or everything that is wrong with it.
pub fn read(bytes: &[u8], terms: &Terms<'_>) -> Result<Plan, Vec<Mistake>> {
    let one = |line, column, what| Err(vec![Mistake { line, column, what }]);
    if bytes.len() > LARGEST {
        return one(1, 1, Wrong::Size);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            return one(before.matches('\n').count() + 1, column, Wrong::Encoding);
        }
    };
    let mut mistakes = Vec::new();
    let rows = rows(text, &mut mistakes);
    let Some((heading, lines)) = rows.split_first() else {
        mistakes.push(Mistake { line: 1, column: 1, what: Wrong::Empty });
        return Err(mistakes);
    };
    let columns = columns(heading, &mut mistakes);
    if lines.is_empty() {
        mistakes.push(heading[0].wrong(Wrong::Empty));
    }
    let Some(columns) = columns else { return Err(sorted(mistakes)) };
    let mut reading = Reading { terms, plan: Plan::default(), lines: Vec::new(), nobody: BTreeMap::new(), mistakes };
    for row in lines {
        if row.len() == heading.len() {
            reading.row(columns.map(|column| &row[column]));
        } else {
            reading.mistakes.push(row[0].wrong(Wrong::Fields(row.len(), heading.len())));
        }
    }
    if reading.mistakes.is_empty() { Ok(reading.plan) } else { Err(sorted(reading.mistakes)) }
}

fn sorted(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes
}

/// What separates the fields: what comes first in the heading. A table that is copied out of a spreadsheet has tabs.
fn separator(text: &str) -> char {
    let heading = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    heading.chars().find(|char| matches!(char, ',' | ';' | '\t' | '，')).unwrap_or(',')
}

/// The lines that are not blank, as trimmed fields.
fn rows(text: &str, mistakes: &mut Vec<Mistake>) -> Vec<Vec<Field>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separator = separator(text);
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    let (mut line, mut column) = (1, 1);
    let mut field = Field { line, column, text: String::new() };
    // Where the quotation mark stands that is open, and whether one was closed in this field.
    let (mut quoted, mut closed) = (None, false);
    let mut chars = text.chars().peekable();
    loop {
        let char = chars.next();
        match (char, quoted) {
            (None, Some((line, column))) => mistakes.push(Mistake { line, column, what: Wrong::Quote }),
            (Some('"'), Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
                column += 1;
                field.text.push('"');
            }
            (Some('"'), Some(_)) => (quoted, closed) = (None, true),
            (Some('"'), None) if field.text.trim().is_empty() && !closed => {
                field.text.clear();
                quoted = Some((line, column));
            }
            (Some(char), None) if char == separator => {
                row.push(finished(&mut field, (line, column + 1)));
                closed = false;
            }
            (Some('\n' | '\r') | None, None) => {
                // The heading of a table with DOS line ends has one end, not two.
                if char == Some('\r') && chars.peek() == Some(&'\n') {
                    chars.next();
                }
                row.push(finished(&mut field, (line + 1, 1)));
                closed = false;
                let whole: Vec<Field> = std::mem::take(&mut row);
                if whole.iter().any(|field| !field.text.is_empty()) {
                    rows.push(whole);
                }
                (line, column) = (line + 1, 0);
            }
            (Some(char), None) if closed && !char.is_whitespace() => {
                mistakes.push(Mistake { line, column, what: Wrong::Quote });
                closed = false;
            }
            (Some('\n'), Some(_)) => {
                field.text.push(' ');
                (line, column) = (line + 1, 0);
            }
            (Some(char), _) => field.text.push(char),
        }
        column += 1;
        if char.is_none() {
            return rows;
        }
    }
}

/// Ends a field; the next one begins at `next`.
fn finished(field: &mut Field, (line, column): (usize, usize)) -> Field {
    let done = std::mem::replace(field, Field { line, column, text: String::new() });
    Field { text: done.text.trim().to_owned(), ..done }
}

/// Where each column is in a line; `None` if one is missing.
fn columns(heading: &[Field], mistakes: &mut Vec<Mistake>) -> Option<[usize; 4]> {
    let mut found = [None; 4];
    for (place, field) in heading.iter().enumerate() {
        let name = field.text.to_lowercase();
        let known = Column::ALL.into_iter().zip(&mut found).find(|(column, _)| column.names().contains(&name.as_str()));
        match known {
            Some((_, slot @ None)) => *slot = Some(place),
            Some((column, Some(_))) => mistakes.push(field.wrong(Wrong::Twice(column))),
            None => {
                let names = Column::ALL.into_iter().flat_map(Column::names);
                let near = nearest(&field.text, names).map(str::to_owned);
                mistakes.push(field.wrong(Wrong::Heading(field.short(), near)));
            }
        }
    }
    let missing = Column::ALL.into_iter().zip(found).filter(|(_, place)| place.is_none());
    let at = heading.first().cloned().unwrap_or_default();
    mistakes.extend(missing.map(|(column, _)| at.wrong(Wrong::NoColumn(column))));
    let [date, post, shift, person] = found;
    Some([date?, post?, shift?, person?])
}

/// A table while it is read.
struct Reading<'a> {
    terms: &'a Terms<'a>,
    plan: Plan,
    /// The line of each duty of the plan.
    lines: Vec<usize>,
    /// The lines that say that nobody is there.
    nobody: BTreeMap<(Date, Box<str>), usize>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn row(&mut self, [date, post, shift, person]: [&Field; 4]) {
        let day = self.noted(day(date));
        let post_id = self.noted(self.post(post));
        if shift.text.is_empty() && person.text.is_empty() {
            if let (Some(day), Some(post)) = (day, post_id) {
                self.nobody(date, (day, post));
            }
            return;
        }
        let hours = self.noted(self.shift(shift));
        let who = self.noted(self.person(person));
        let (Some(day), Some(post), Some(hours), Some(who)) = (day, post_id, hours, who) else { return };
        let Some((from, until)) = span(day, hours, self.terms.zone) else {
            // On this day the clock leaps over all of it.
            self.mistakes.push(shift.wrong(Wrong::Shift(shift.short(), None)));
            return;
        };
        let of_day = |duty: &&Duty| duty.day == day && duty.post == post;
        let place = self.plan.duties.iter().filter(of_day).count();
        let duty = Duty { day, place: i64::try_from(place).unwrap_or(i64::MAX), post, who, from, until };
        let overlaps = |other: &Duty| {
            other.post == duty.post && other.who.id == duty.who.id && other.from < until && from < other.until
        };
        if let Some(nth) = self.plan.duties.iter().position(overlaps) {
            self.mistakes.push(date.wrong(Wrong::Overlap(self.lines[nth])));
        } else if let Some(line) = self.nobody.get(&(day, duty.post.clone())) {
            self.mistakes.push(date.wrong(Wrong::Nobody(*line)));
        }
        self.plan.about.insert((day, duty.post.clone()));
        self.plan.duties.push(duty);
        self.lines.push(date.line);
    }

    fn nobody(&mut self, at: &Field, of: (Date, Box<str>)) {
        let said = self.plan.duties.iter().position(|duty| duty.day == of.0 && duty.post == of.1);
        if let Some(line) = said.map(|nth| self.lines[nth]).or_else(|| self.nobody.get(&of).copied()) {
            self.mistakes.push(at.wrong(Wrong::Nobody(line)));
        }
        self.plan.about.insert(of.clone());
        self.nobody.entry(of).or_insert(at.line);
    }

    fn noted<T>(&mut self, read: Result<T, Mistake>) -> Option<T> {
        read.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    /// A post by its id or by what people call it.
    fn post(&self, field: &Field) -> Result<Box<str>, Mistake> {
        let called = |label: &Label| field.text == *label.zh || field.text.eq_ignore_ascii_case(&label.en);
        let mut posts = self.terms.posts.iter();
        let found = posts.find(|(id, label)| field.text.eq_ignore_ascii_case(id) || called(label));
        found.map(|(id, _)| id.clone()).ok_or_else(|| {
            let names = self.terms.posts.iter().flat_map(|(id, label)| [&**id, &*label.zh]);
            field.wrong(Wrong::Post(field.short(), nearest(&field.text, names).map(str::to_owned)))
        })
    }

    fn shift(&self, field: &Field) -> Result<Shift, Mistake> {
        if field.text.is_empty() {
            return Err(field.wrong(Wrong::Half(Column::Shift)));
        }
        let named = self.terms.shifts.get(&field.text).copied();
        named.or_else(|| hours::shift_of(&field.text.replace('：', ":"))).ok_or_else(|| {
            let near = nearest(&field.text, self.terms.shifts.keys().map(String::as_str));
            field.wrong(Wrong::Shift(field.short(), near.map(str::to_owned)))
        })
    }

    fn person(&self, field: &Field) -> Result<Holder, Mistake> {
        if field.text.is_empty() {
            return Err(field.wrong(Wrong::Half(Column::Person)));
        }
        let people = &self.terms.people;
        people.get(&field.text.to_lowercase()).cloned().ok_or_else(|| {
            let near = nearest(&field.text, people.keys().map(String::as_str));
            field.wrong(Wrong::Person(field.short(), near.map(str::to_owned)))
        })
    }
}

/// A day, with `-` or, as spreadsheets show it, with `/` and without zeros.
fn day(field: &Field) -> Result<Date, Mistake> {
    let parts: Vec<&str> = field.text.split(['-', '/']).collect();
    let number = |text: &str, most: usize| {
        let fine = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fine.then(|| text.parse::<i16>().ok()).flatten()
    };
    let read = || match parts.as_slice() {
        [year, month, day] if year.len() == 4 => {
            let [month, day] = [number(month, 2)?, number(day, 2)?].map(i8::try_from);
            // Nobody plans for another century; far away a zone has no clock.
            let year = number(year, 4).filter(|year| (2000..2200).contains(year))?;
            Date::new(year, month.ok()?, day.ok()?).ok()
        }
        _ => None,
    };
    read().ok_or_else(|| field.wrong(Wrong::Date(field.short())))
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::{pack::Pack, time::Timestamp};

    fn read_text(text: &str) -> Result<Plan, Vec<Mistake>> {
        let zone = TimeZone::get("Asia/Shanghai").expect("the bundled zone");
        let shift = |from, until| Shift { from: time(from, 0, 0, 0), until: time(until, 0, 0, 0) };
        let shifts = Shifts::from([
            ("early".into(), shift(8, 16)),
            ("night".into(), shift(22, 6)),
            ("早班".into(), shift(8, 16)),
        ]);
        let holder = |login: &str| (login.to_owned(), Holder { id: format!("id-{login}").into(), name: login.into() });
        let people = ["wang.li", "chen"].map(holder).into();
        read(text.as_bytes(), &Terms { zone: &zone, posts: &Pack::built_in().posts, shifts: &shifts, people })
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_millis(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
    }

    #[rstest]
    #[case::english("date,post,shift,person\n2026-12-01,concierge,early,wang.li\n2026-12-01,concierge,night,chen\n")]
    #[case::chinese("日期,岗位,班次,人员\n2026-12-01,礼宾岗,早班,wang.li\n2026-12-01,礼宾岗,22:00-06:00,chen")]
    #[case::of_a_spreadsheet(
        "\u{feff}日期,岗位,班次,人员\r\n2026/12/1,礼宾岗,8：00-16：00,WANG.LI\r\n2026/12/1,礼宾岗,night,chen\r\n,,,\r\n"
    )]
    #[case::pasted(
        "Date\tPost\tShift\tPerson\n2026-12-01\tConcierge\tearly\twang.li\n\n2026-12-01\tConcierge\tnight\tchen"
    )]
    #[case::in_another_order(
        "person;shift;post;date\nwang.li;early;concierge;2026-12-01\nchen;night;concierge;2026-12-01"
    )]
    #[case::quoted(
        "\"date\",\"post\",shift, \"person\" \n2026-12-01,\"concierge\",early,\"wang.li\"\n2026-12-01,concierge,night,chen"
    )]
    fn a_table_says_who_is_on_duty(#[case] text: &str) {
        let plan = read_text(text).expect("a table");
        let told: Vec<_> = plan.duties.iter().map(|duty| (&*duty.who.id, duty.place, duty.from, duty.until)).collect();
        let expected = [
            ("id-wang.li", 0, at("2026-12-01T08:00:00+08"), at("2026-12-01T16:00:00+08")),
            ("id-chen", 1, at("2026-12-01T22:00:00+08"), at("2026-12-02T06:00:00+08")),
        ];
        assert_eq!(told, expected);
        assert_eq!(plan.about.into_iter().collect::<Vec<_>>(), [(date(2026, 12, 1), "concierge".into())]);
    }

    #[test]
    fn a_line_without_shift_and_person_says_that_nobody_is_there() {
        let plan = read_text("date,post,shift,person\n2026-12-01,concierge,,").expect("a table");
        assert_eq!((plan.about.len(), plan.duties.len()), (1, 0));
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_place_and_what_was_meant() {
        let text = "date,post,shift,person\n2026-13-01,conserge,erly,wang.ly\n2026-12-01,concierge,early\n\
                    2026-12-01,concierge,early,chen\n2026-12-01,concierge,10:00-12:00,chen\n2026-12-01,concierge,,\n\
                    2026-12-02,waterbar,early,\n2026-12-02,waterbar,,chen\n2026-12-02,\"waterbar,early,chen\n";
        let told: Vec<String> = read_text(text).expect_err("mistakes").iter().map(ToString::to_string).collect();
        let expected = [
            "2:1: `2026-13-01` is not a date",
            "2:12: there is no post `conserge`; did you mean `concierge`?",
            "2:21: there is no shift `erly`; did you mean `early`?",
            "2:26: nobody who may sign in and works at this site signs in as `wang.ly`; did you mean `wang.li`?",
            "3:1: the line has 3 fields, and the heading 4",
            "5:1: the same person is at this post at that time already, in line 4",
            "6:1: line 4 says otherwise",
            "7:27: `person` is empty",
            "8:21: `shift` is empty",
            "9:12: a field that begins with `\"`",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}, not {expected}");
        }
    }

    #[rstest]
    #[case::nothing("", &["1:1: there is no line of a duty"])]
    #[case::blank("\n \r\n", &["1:1: there is no line of a duty"])]
    #[case::a_heading_alone("date,post,shift,person\n", &["1:1: there is no line of a duty"])]
    #[case::another_heading("dates,post,shfit,person,post\n2026-12-01,concierge,early,chen,x\n", &[
        "1:1: there is no column `dates`; did you mean `date`?",
        "1:1: the heading has no column `date`",
        "1:1: the heading has no column `shift`",
        "1:12: there is no column `shfit`; did you mean `shift`?",
        "1:25: the column `post` is there twice",
    ])]
    fn a_table_without_its_heading_is_none(#[case] text: &str, #[case] expected: &[&str]) {
        let told: Vec<String> = read_text(text).expect_err("mistakes").iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}, not {expected}");
        }
    }

    #[test]
    fn a_table_in_another_encoding_is_told_what_to_do() {
        let zone = TimeZone::UTC;
        let terms = Terms { zone: &zone, posts: &BTreeMap::new(), shifts: &Shifts::new(), people: BTreeMap::new() };
        let wrong = read(b"date,post\n\xc8\xd5", &terms).expect_err("no UTF-8");
        assert_eq!(wrong, [Mistake { line: 2, column: 1, what: Wrong::Encoding }]);
        assert_eq!(read(&vec![b','; LARGEST + 1], &terms).expect_err("too large")[0].what, Wrong::Size);
    }

    proptest! {
        #[test]
        fn whatever_a_table_holds_it_is_read_or_every_mistake_has_a_place_in_it(
            lines in prop::collection::vec("(\\PC|[,\"\\r\\n\t;]|2026-12-01|concierge|early|chen|日期){0,12}", 0..6),
            heading in any::<bool>(),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let heading = if heading { format!("date,post,shift,person{end}") } else { String::new() };
            let text = heading + &lines.join(end);
            let most = text.matches(['\n', '\r']).count() + 1;
            match read_text(&text) {
                Ok(plan) => prop_assert!(plan.duties.iter().all(|duty| duty.from < duty.until)),
                Err(mistakes) => {
                    prop_assert!(!mistakes.is_empty());
                    for mistake in mistakes {
                        prop_assert!((1..=most).contains(&mistake.line), "{}", mistake);
                        prop_assert!(mistake.column >= 1);
                    }
                }
            }
        }

        #[test]
        fn a_plan_that_is_written_down_is_read_again(
            duties in prop::collection::vec((1i8..28, 0usize..8, 0i8..24, 1i8..12, any::<bool>()), 1..20),
        ) {
            let pack = Pack::built_in();
            let posts: Vec<&str> = pack.posts.keys().map(|id| &**id).collect();
            let line = |(day, post, from, length, chen): &(i8, usize, i8, i8, bool)| {
                let (post, until) = (posts[post % posts.len()], (from + length) % 24);
                let who = if *chen { "chen" } else { "wang.li" };
                format!("2026-12-{day:02},{post},{from:02}:00-{until:02}:00,{who}\n")
            };
            let text: String = duties.iter().map(line).collect();
            match read_text(&format!("date,post,shift,person\n{text}")) {
                Ok(plan) => prop_assert_eq!(plan.duties.len(), duties.len()),
                Err(mistakes) => {
                    prop_assert!(mistakes.iter().all(|mistake| matches!(mistake.what, Wrong::Overlap(_))));
                }
            }
        }
    }
}
