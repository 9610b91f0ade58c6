//! People who hold several roles: as the page of people has them, as they see themselves, and how they change from one to another.

use lobby_dashboards::{
    AccountPage, Choice, Chrome, HeldLine, HeldPost, Mistake, OverviewPage, Page, PeoplePage, PersonLine, PersonState,
    PostNow,
};
use lobby_domain::access::Role;

use super::{Sample, Scene};

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let sites = [("hz-01", s.say("湖滨壹号 案场", "Lakeside One")), ("hz-02", s.say("云栖里 案场", "Cloud Lane"))];
    let held = |role, site: Option<usize>, may_take| HeldLine {
        role,
        site: site.map(|site| (sites[site].0.to_owned(), sites[site].1.clone())),
        may_take,
    };
    let both = vec![held(Role::Manager, Some(0), true), held(Role::Supervisor, Some(1), true)];
    let person = |id: &str, name: String, held, holds_more, state| PersonLine {
        id: id.into(),
        name,
        login: format!("{id}.hz"),
        held,
        holds_more,
        chats: lobby_dashboards::ChatPart::default(),
        state,
    };
    let people = PeoplePage {
        people: vec![
            person("zhou", s.say("周琳", "Zhou Lin"), both, false, PersonState::Active),
            person("wang", s.say("王敏", "Wang Min"), vec![held(Role::Admin, None, false)], false, PersonState::Active),
            person(
                "chen",
                s.say("陈刚", "Chen Gang"),
                vec![held(Role::Engineering, Some(0), true)],
                true,
                PersonState::Disabled,
            ),
        ],
        link: None,
        mistake: Some(Mistake::OnlyGrant),
        ..s.people()
    };
    let post = |role, site: usize, home: &str, current| HeldPost {
        role,
        site: Some(sites[site].1.clone()),
        href: format!("{home}?site={}", sites[site].0),
        current,
    };
    let choice = |site: usize, current| Choice {
        label: sites[site].1.clone(),
        href: format!("/?site={}", sites[site].0),
        current,
    };
    let on_duty = |post: &str, person: &str| PostNow { post: post.to_owned(), people: vec![person.to_owned()] };
    let of_both = |page| Chrome {
        duty: vec![
            on_duty(&s.say("工程", "Engineering"), &s.say("李强", "Li Qiang")),
            on_duty(&s.say("领班", "Shift leader"), &s.say("周琳", "Zhou Lin")),
        ],
        person: Some(s.say("周琳", "Zhou Lin")),
        roles: Some(vec![Role::Engineering, Role::Leader]),
        posts: vec![
            post(Role::Engineering, 0, "/engineering", false),
            post(Role::Leader, 0, "/", page == Page::Overview),
            post(Role::Supervisor, 1, "/", false),
        ],
        sites: vec![choice(0, true), choice(1, false)],
        sight: lobby_dashboards::Sight::OneSite,
        audits: false,
        ..s.chrome(page)
    };
    let overview = OverviewPage { chrome: of_both(Page::Overview), ..s.overview(false) };
    let account = AccountPage {
        chrome: of_both(Page::Account),
        name: s.say("周琳", "Zhou Lin"),
        login: "zhou.hz".into(),
        posts: vec![
            (Role::Engineering, Some(sites[0].1.clone())),
            (Role::Leader, Some(sites[0].1.clone())),
            (Role::Supervisor, Some(sites[1].1.clone())),
        ],
        ..s.account()
    };
    let pages = [
        ("people-several-roles", people.render(), people.render_main()),
        ("overview-several-roles", overview.render(), overview.render_main()),
        ("account-several-roles", account.render(), account.render_main()),
    ];
    let sample = |(name, page, main)| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}
