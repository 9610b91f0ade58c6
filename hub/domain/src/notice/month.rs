//! What the month's report says (月报): how the standards were kept, how long the equipment worked, and what was used and is to be bought.

use super::text::pick;
use crate::{compliance::Tally, label::Lang, purchase::Month};

/// The most clauses that are named.
const MOST_CLAUSES: usize = 5;

/// A month of a site, each word in the language of the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthReport {
    /// What people call the site.
    pub site: String,
    /// The month.
    pub month: Month,
    /// What was kept of all that was owed.
    pub all: Tally,
    /// The same in the month before.
    pub before: Tally,
    /// By post, in words.
    pub posts: Vec<(String, Tally)>,
    /// By clause, with its id.
    pub clauses: Vec<(String, Tally)>,
    /// For how much of the opening hours each device was known to work, in tenths of a percent.
    pub devices: Vec<(String, i64)>,
    /// What was used up.
    pub items: Vec<ItemOfMonth>,
}

/// An item that is used up, in a month's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemOfMonth {
    /// What people call it.
    pub name: String,
    /// What its pieces are called.
    pub unit: String,
    /// Pieces that guests were given.
    pub used: i64,
    /// Pieces thrown away or missing; less than zero if counts found more.
    pub lost: i64,
    /// How many pieces are to be bought for the next month, and whether everybody has approved that; none if nothing can be proposed.
    pub plan: Option<(i64, bool)>,
}

fn percent(lang: Lang, tally: &Tally) -> String {
    let of = |tenths: u32| format!("{}.{} %", tenths / 10, tenths % 10);
    tally.tenths().map_or_else(|| pick(lang, "无应做事项", "nothing was owed").to_owned(), of)
}

/// "96.4 % (met 783 of 812, late 11, not done 18)".
fn kept(lang: Lang, tally: &Tally) -> String {
    let share = percent(lang, tally);
    if tally.counted() == 0 {
        return share;
    }
    let Tally { met, late, missed, .. } = *tally;
    match lang {
        Lang::Zh => format!("{share}（应做 {}，按时 {met}，迟 {late}，未做 {missed}）", tally.counted()),
        Lang::En => format!("{share} ({met} of {} in time, {late} late, {missed} not done)", tally.counted()),
    }
}

impl MonthReport {
    /// Whether there is anything to report: something was owed, seen or used.
    pub fn is_empty(&self) -> bool {
        self.all == Tally::default() && self.devices.is_empty() && self.items.is_empty()
    }

    /// In one line.
    pub fn title(&self, lang: Lang) -> String {
        match lang {
            Lang::Zh => format!("{} {} 月报", self.site, self.month),
            Lang::En => format!("{}: report of {}", self.site, self.month),
        }
    }

    /// In some lines.
    pub fn text(&self, lang: Lang) -> String {
        let colon = pick(lang, "：", ": ");
        let mut lines = vec![self.title(lang)];
        lines.push(format!("{}{colon}{}", pick(lang, "标准执行", "Standards kept"), kept(lang, &self.all)));
        lines.push(format!("{}{colon}{}", pick(lang, "上月", "The month before"), percent(lang, &self.before)));
        let posts = self.posts.iter().filter(|(_, tally)| tally.counted() > 0);
        lines.extend(posts.map(|(post, tally)| format!("- {post}{colon}{}", kept(lang, tally))));
        let mut worst: Vec<_> = self.clauses.iter().filter(|(_, tally)| tally.late + tally.missed > 0).collect();
        worst.sort_by_key(|(_, tally)| tally.tenths());
        if !worst.is_empty() {
            lines.push(pick(lang, "最需改进的条款：", "Clauses that need attention most:").to_owned());
            let worst = worst.into_iter().take(MOST_CLAUSES);
            lines.extend(worst.map(|(clause, tally)| format!("- {clause} {}", kept(lang, tally))));
        }
        lines.extend(self.availability(lang));
        lines.extend(self.items.iter().map(|item| item.line(lang)));
        lines.join("\n")
    }

    fn availability(&self, lang: Lang) -> Option<String> {
        let worst = self.devices.iter().min_by_key(|(_, tenths)| *tenths)?;
        let count = i64::try_from(self.devices.len()).unwrap_or(i64::MAX);
        let mean = self.devices.iter().map(|(_, tenths)| tenths).sum::<i64>() / count;
        let [mean, least] = [mean, worst.1].map(|tenths| format!("{}.{} %", tenths / 10, tenths % 10));
        Some(match lang {
            Lang::Zh => format!("开放时间内设备可用：平均 {mean}，最低 {}（{least}）", worst.0),
            Lang::En => {
                format!("Equipment known to work in opening hours: {mean} in the mean, least {} ({least})", worst.0)
            }
        })
    }
}

impl ItemOfMonth {
    fn line(&self, lang: Lang) -> String {
        let Self { name, unit, used, lost, plan } = self;
        let plan = match (lang, plan) {
            (_, None) => String::new(),
            (Lang::Zh, Some((pieces, true))) => format!("；次月采购 {pieces} {unit}（已批准）"),
            (Lang::Zh, Some((pieces, false))) => format!("；次月采购 {pieces} {unit}（尚未批准）"),
            (Lang::En, Some((pieces, true))) => {
                format!("; to be bought for the next month: {pieces} {unit} (approved)")
            }
            (Lang::En, Some((pieces, false))) => {
                format!("; to be bought for the next month: {pieces} {unit} (not approved yet)")
            }
        };
        match lang {
            Lang::Zh => format!("{name}：用 {used} {unit}，损耗 {lost} {unit}{plan}"),
            Lang::En => format!("{name}: {used} {unit} used, {lost} {unit} lost{plan}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> MonthReport {
        let tally = |met, late, missed| Tally { met, late, missed, ..Tally::default() };
        MonthReport {
            site: "云汀案场".into(),
            month: "2026-11".parse().unwrap(),
            all: tally(783, 11, 18),
            before: Tally::default(),
            posts: vec![("礼宾".into(), tally(40, 0, 0)), ("水吧".into(), Tally::default())],
            clauses: vec![
                ("CON-S9".into(), tally(9, 1, 0)),
                ("SHO-D4".into(), tally(1, 0, 3)),
                ("BAR-S8".into(), tally(9, 0, 0)),
            ],
            devices: vec![("入口屏".into(), 931), ("电梯厅电视".into(), 1000)],
            items: vec![ItemOfMonth {
                name: "鞋套".into(),
                unit: "片".into(),
                used: 5540,
                lost: 52,
                plan: Some((7000, false)),
            }],
        }
    }

    #[test]
    fn a_report_says_what_was_kept_the_worst_first_and_never_praises_what_was_not_owed() {
        assert_eq!(
            report().text(Lang::Zh),
            "云汀案场 2026-11 月报\n标准执行：96.4 %（应做 812，按时 783，迟 11，未做 18）\n上月：无应做事项\n- 礼宾：100.0 %（应做 40，按时 40，迟 0，未做 0）\n\
             最需改进的条款：\n- SHO-D4 25.0 %（应做 4，按时 1，迟 0，未做 3）\n- CON-S9 90.0 %（应做 10，按时 9，迟 1，未做 0）\n\
             开放时间内设备可用：平均 96.5 %，最低 入口屏（93.1 %）\n鞋套：用 5540 片，损耗 52 片；次月采购 7000 片（尚未批准）"
        );
        let english = report().text(Lang::En);
        assert!(
            english.starts_with(
                "云汀案场: report of 2026-11\nStandards kept: 96.4 % (783 of 812 in time, 11 late, 18 not done)\n"
            ),
            "{english}"
        );
        assert!(english.contains("\nThe month before: nothing was owed\n"), "{english}");
        assert!(english.ends_with("; to be bought for the next month: 7000 片 (not approved yet)"), "{english}");
    }

    #[test]
    fn a_month_in_which_nothing_was_owed_seen_or_used_is_empty() {
        assert!(!report().is_empty());
        let empty = MonthReport { all: Tally::default(), devices: Vec::new(), items: Vec::new(), ..report() };
        assert!(empty.is_empty());
    }
}
