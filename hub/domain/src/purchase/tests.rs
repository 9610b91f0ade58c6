use jiff::{
    civil::{date, time},
    tz::TimeZone,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::calendar::Day;

/// Open from nine to six, but not on Mondays.
fn calendar() -> Calendar {
    let day = Day { ready_by: time(8, 20, 0, 0), open: time(9, 0, 0, 0), close: time(18, 0, 0, 0) };
    let weekly = std::array::from_fn(|weekday| (weekday != 0).then_some(day));
    Calendar::new(TimeZone::get("Asia/Shanghai").unwrap(), weekly, [].into())
}

fn at(date: Date, hour: i8) -> Timestamp {
    let zoned = calendar().zone().to_zoned(date.at(hour, 0, 0, 0)).unwrap();
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

/// 90 pieces on each open day, 180 on Sundays.
fn used(from: Date, until: Date) -> Vec<(Timestamp, u32)> {
    let days = from.series(1.day()).take_while(|date| *date < until).filter(|date| calendar().opens_on(*date));
    days.flat_map(|date| {
        (9..18).map(move |hour| (at(date, hour), if date.weekday() == Weekday::Sunday { 20 } else { 10 }))
    })
    .collect()
}

const STOCK: Stock = Stock { on_hand: 700, on_order: 500, pack: 100, min_order: 500, lead_days: 4, price: Some(35) };

fn december() -> Month {
    "2026-12".parse().unwrap()
}

#[test]
fn every_term_of_a_proposal_can_be_checked_by_hand() {
    // A Saturday evening: that Sunday, the 29th, is all that is used until the month begins, as Mondays are closed.
    let now = at(date(2026, 11, 28), 20);
    let proposal =
        Proposal::make(december(), &calendar(), &used(date(2026, 5, 1), date(2026, 11, 29)), STOCK, now).unwrap();
    let days: Vec<_> = proposal.days.iter().map(|days| (days.weekday, days.open, days.each)).collect();
    assert_eq!(days, [(2, 5, 90.0), (3, 5, 90.0), (4, 5, 90.0), (5, 4, 90.0), (6, 4, 90.0), (7, 4, 180.0)]);
    assert_eq!(proposal.demand, 23 * 90 + 4 * 180);
    // Use that never varied is taken to vary by its own size: √(2790 / 27).
    assert!((proposal.deviation - 10.165).abs() < 0.001, "{}", proposal.deviation);
    assert_eq!(proposal.safety, 34, "1.645 · 10.165 · √4, rounded up");
    assert_eq!(proposal.until_then, 180);
    assert_eq!(proposal.need, 2790 + 34 - (700 - 180) - 500);
    assert_eq!(proposal.pieces, 1900, "boxes of 100");
    assert_eq!(proposal.cost(proposal.pieces), Some(1900 * 35));
    let seen: Vec<_> = proposal.hindsight.iter().map(|seen| (&*seen.month, seen.expected == seen.used)).collect();
    assert_eq!(seen, [("2026-08", true), ("2026-09", true), ("2026-10", true)], "November is not over");
}

#[test]
fn nothing_is_proposed_of_what_has_never_been_used_and_nothing_bought_that_is_there() {
    let now = at(date(2026, 11, 28), 20);
    assert_eq!(Proposal::make(december(), &calendar(), &[], STOCK, now), None);
    let rich = Stock { on_hand: 50_000, ..STOCK };
    let used = used(date(2026, 5, 1), date(2026, 11, 29));
    let proposal = Proposal::make(december(), &calendar(), &used, rich, now).unwrap();
    assert_eq!((proposal.need, proposal.pieces), (0, 0));
}

#[test]
fn what_is_missing_in_the_books_is_bought_too() {
    let now = at(date(2026, 11, 28), 20);
    let used = used(date(2026, 5, 1), date(2026, 11, 29));
    let owing = Stock { on_hand: -200, ..STOCK };
    let proposal = Proposal::make(december(), &calendar(), &used, owing, now).unwrap();
    assert_eq!(proposal.need, 2790 + 34 + 180 + 200 - 500);
}

#[rstest]
#[case::nothing(0, 100, 500, 0)]
#[case::less_than_is_sold(3, 100, 500, 500)]
#[case::whole_boxes(501, 100, 500, 600)]
#[case::exactly(600, 100, 500, 600)]
#[case::the_least_is_no_whole_number_of_boxes(1, 200, 500, 600)]
fn purchases_are_whole_boxes_and_at_least_what_is_sold(
    #[case] need: i64,
    #[case] pack: i64,
    #[case] least: i64,
    #[case] bought: i64,
) {
    assert_eq!(in_boxes(need, pack, least), bought);
}

#[rstest]
#[case("2026-12", true)]
#[case("2026-1", false)]
#[case("2026-13", false)]
#[case("2026-12-01", false)]
#[case("", false)]
fn a_month_is_a_year_and_a_month(#[case] text: &str, #[case] is_one: bool) {
    let month = text.parse::<Month>();
    assert_eq!(month.is_ok(), is_one, "{text}");
    assert!(month.is_ok_and(|month| month.to_string() == text) == is_one);
}

fn approvers() -> Vec<Box<str>> {
    vec!["supervisor".into(), "manager".into()]
}

/// Takes acts one after the other, each by whoever speaks for one post.
fn take(standing: &mut Standing, acts: &[(&str, Act, &str)]) -> Result<(), Refusal> {
    acts.iter().try_for_each(|(post, act, reason)| {
        standing.take(act, reason, &doer(post, post), |asked| asked == *post, &approvers())
    })
}

fn doer(id: &str, name: &str) -> Doer {
    Doer { id: (!id.is_empty()).then(|| id.into()), name: name.into() }
}

#[rstest]
#[case::the_same_person(("p-1", "Zhou"), ("p-1", "Zhou"), Err(Refusal::Twice))]
#[case::renamed(("p-1", "Zhou"), ("p-1", "Zhou Lin"), Err(Refusal::Twice))]
#[case::a_namesake(("p-1", "Zhou"), ("p-2", "Zhou"), Ok(()))]
#[case::by_name_where_no_id_was_kept(("", "Zhou"), ("p-1", "Zhou"), Err(Refusal::Twice))]
#[case::another_where_no_id_was_kept(("", "Zhou"), ("p-1", "Li"), Ok(()))]
#[case::before_anybody_signs_in(("", ""), ("", ""), Ok(()))]
fn nobody_approves_twice_whatever_posts_they_hold(
    #[case] first: (&str, &str),
    #[case] second: (&str, &str),
    #[case] expected: Result<(), Refusal>,
) {
    let mut standing = Standing::new(1900);
    let mut take = |act: &Act, reason: &str, (id, name)| {
        standing.take(act, reason, &doer(id, name), |_| true, &approvers()).map(|()| standing.clone())
    };
    take(&Act::Submit, "", first).unwrap();
    let once = take(&Act::Approve, "", first).unwrap();
    let twice = take(&Act::Approve, "", second);
    assert_eq!(twice.as_ref().map(drop).map_err(|refusal| *refusal), expected);
    if twice.is_err() {
        // They may still send it back, and then it begins anew for them too.
        assert_eq!(once.turn(&approvers()).map(|post| &**post), Some("manager"));
        take(&Act::Return, "too much", second).unwrap();
        take(&Act::Submit, "", second).unwrap();
        take(&Act::Approve, "", second).unwrap();
    }
}

#[test]
fn a_proposal_goes_up_one_level_after_the_other() {
    let mut standing = Standing::new(1900);
    let up = [
        ("showflat", Act::Edit { pieces: 2000 }, "launch on the 20th"),
        ("showflat", Act::Submit, ""),
        ("supervisor", Act::Approve, ""),
    ];
    take(&mut standing, &up).unwrap();
    assert_eq!(standing.turn(&approvers()).map(|post| &**post), Some("manager"));
    assert!(!standing.is_approved(2));
    take(&mut standing, &[("manager", Act::Approve, "")]).unwrap();
    assert!(standing.is_approved(2) && standing.pieces == 2000);
    for act in [Act::Edit { pieces: 1 }, Act::Submit, Act::Approve, Act::Return] {
        assert_eq!(take(&mut standing, &[("manager", act, "why")]), Err(Refusal::Approved));
    }
}

#[test]
fn what_is_sent_back_begins_anew() {
    let mut standing = Standing::new(1900);
    let back = [("x", Act::Submit, ""), ("supervisor", Act::Approve, ""), ("manager", Act::Return, "too much")];
    take(&mut standing, &back).unwrap();
    assert_eq!(standing, Standing::new(1900));
    take(&mut standing, &[("x", Act::Edit { pieces: 1500 }, "less"), ("x", Act::Submit, "")]).unwrap();
    assert_eq!(standing.turn(&approvers()).map(|post| &**post), Some("supervisor"));
}

#[rstest]
#[case::no_reason("showflat", Act::Edit { pieces: 1 }, " ", Refusal::Reason)]
#[case::no_number("showflat", Act::Edit { pieces: -1 }, "x", Refusal::Pieces)]
#[case::too_early("supervisor", Act::Approve, "", Refusal::NotSubmitted)]
#[case::a_reason_of_two_lines("showflat", Act::Submit, "a\nb", Refusal::Reason)]
fn what_cannot_be_done_is_refused_with_its_cause(
    #[case] post: &str,
    #[case] act: Act,
    #[case] reason: &str,
    #[case] refusal: Refusal,
) {
    let mut standing = Standing::new(1900);
    assert_eq!(take(&mut standing, &[(post, act, reason)]), Err(refusal));
    assert_eq!(standing, Standing::new(1900));
}

#[test]
fn nobody_approves_out_of_turn_or_edits_what_is_with_the_superiors() {
    let mut standing = Standing::new(1900);
    take(&mut standing, &[("x", Act::Submit, "")]).unwrap();
    assert_eq!(take(&mut standing, &[("manager", Act::Approve, "")]), Err(Refusal::NotYours));
    assert_eq!(take(&mut standing, &[("supervisor", Act::Return, "")]), Err(Refusal::Reason));
    assert_eq!(take(&mut standing, &[("x", Act::Edit { pieces: 1 }, "x")]), Err(Refusal::Submitted));
    assert_eq!(take(&mut standing, &[("x", Act::Submit, "")]), Err(Refusal::Submitted));
}

proptest! {
    #[test]
    fn what_is_bought_covers_what_is_missing_and_no_box_could_be_left_out(need in 1_i64..100_000, pack in 1_i64..500, least in 1_i64..2000) {
        let bought = in_boxes(need, pack, least);
        prop_assert!(bought >= need && bought >= least && bought % pack == 0);
        prop_assert!(bought - pack < need.max(least));
    }
}
