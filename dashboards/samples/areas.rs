//! Areas: a site by area, one area alone, and one that there is none of.

use lobby_dashboards::{AreaList, AreaRow, Counts, DeviceRef, OverviewPage, State};

use super::{Sample, Scene};

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let (led, tv) = (s.led_ref(), s.tv().device);
    let unplaced = DeviceRef { area: None, ..s.device_ref("fountain", ("喷泉", ""), ("Fountain", "")) };
    let counts = |normal, abnormal| Counts { normal, abnormal, ..Counts::default() };
    let row = |id: &str, name: Option<String>, counts, devices| AreaRow {
        href: name.is_some().then(|| format!("/?site=hz-01&area={id}")),
        name,
        counts,
        devices,
    };
    let entrance = || s.area("entrance-led");
    let rows = vec![
        row("entrance", entrance(), counts(1, 1), vec![(led.clone(), State::Abnormal)]),
        row("lift-lobby", s.area("lobby-tv"), counts(1, 0), vec![]),
        row("", None, Counts { unknown: 1, ..Counts::default() }, vec![(unplaced, State::Unknown)]),
    ];
    let with = |areas| OverviewPage { areas, sites: vec![], ..s.overview(true) };
    let every = Some("/?site=hz-01".to_owned());
    let alone =
        AreaRow { href: None, ..row("", entrance(), counts(1, 1), vec![(led, State::Abnormal), (tv, State::Normal)]) };
    let empty = AreaRow { counts: Counts::default(), devices: vec![], ..alone.clone() };
    let pages = [
        ("areas", with(AreaList { rows, ..AreaList::default() })),
        ("areas-one", with(AreaList { rows: vec![alone], every: every.clone(), none_such: None })),
        ("areas-empty", with(AreaList { rows: vec![empty], every: every.clone(), none_such: None })),
        ("areas-none-such", with(AreaList { rows: vec![], every, none_such: Some("cellar".into()) })),
    ];
    let sample = |(name, page): (&'static str, OverviewPage)| Sample {
        name,
        page: page.render().expect("a page of samples renders"),
        main: page.render_main().expect("a page of samples renders"),
    };
    pages.into_iter().map(sample).collect()
}

impl Scene {
    /// The area in which a device of the samples stands.
    pub(super) fn area(&self, code: &str) -> Option<String> {
        let (zh, en) = match code {
            "entrance-led" => ("入口", "Entrance"),
            code if code.starts_with("lift-tv") || code == "lobby-tv" => ("电梯厅", "Lift lobby"),
            code if code.starts_with("covers") => ("样板房", "Show flat"),
            code if code.starts_with("snooker") => ("桌球区", "Snooker area"),
            code if code.starts_with("laptop") => ("上网区", "Internet area"),
            _ => return None,
        };
        Some(self.say(zh, en))
    }
}
