use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use rstest::rstest;
use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "门口的大屏总是亮着";

#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_140_000_000 + self.0.load(Relaxed))
    }
}

struct World {
    folder: TempDir,
    hands: Arc<Hands>,
    accounts: Accounts,
}

impl World {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&format!("sqlite://{}", folder.path().join("hub.db").display())).await.unwrap();
        let hands = Arc::new(Hands::default());
        let accounts = Accounts::new(store, hands.clone(), true, folder.path());
        Self { folder, hands, accounts }
    }

    /// With an engineer who has chosen a password.
    async fn of_li() -> Self {
        let world = Self::new().await;
        let grant = Grant { role: Role::Engineering, site: None };
        let now = world.hands.now();
        let (row, link) = enter(&world.accounts.store, ("Li", "李工"), grant, now, &Actor::here("")).await.unwrap();
        world.accounts.choose(&link, &row, [PASSWORD, PASSWORD]).await.unwrap();
        world
    }

    fn pass(&self, minutes: i64) {
        self.hands.0.fetch_add(minutes * 60_000, Relaxed);
    }

    async fn try_as(
        &self,
        login: &str,
        password: &str,
        from: [u8; 4],
        browser: Option<&str>,
    ) -> Result<SignedIn, SignInError> {
        let asked =
            SignIn { login, password, from: IpAddr::from(from), browser, browser_name: "Firefox\n", remember: false };
        self.accounts.sign_in(asked).await
    }
}

#[test]
fn the_password_of_nobody_takes_as_long_as_any() {
    let nobody = PasswordHashString::new(NOBODY).unwrap();
    let anybody = PasswordHashString::new(&password::hash_password("x").unwrap()).unwrap();
    assert_eq!(nobody.algorithm(), anybody.algorithm());
    assert_eq!(nobody.params(), anybody.params());
    assert_eq!(nobody.hash().unwrap().len(), anybody.hash().unwrap().len());
}

#[rstest]
#[case(" Li.Gong@hz ", Some("li.gong@hz"))]
#[case("13800000000", Some("13800000000"))]
#[case("", None)]
#[case("李工", None)]
#[case("li gong", None)]
#[case("li\u{0}", None)]
fn a_name_to_sign_in_with_is_easily_typed_anywhere(#[case] typed: &str, #[case] kept: Option<&str>) {
    assert_eq!(login(typed).ok().as_deref(), kept);
}

#[tokio::test]
async fn the_first_start_offers_a_link_to_this_user_alone_and_it_is_good_once() {
    let world = World::new().await;
    let (accounts, file) = (&world.accounts, world.folder.path().join(LINK_FILE));
    assert!(accounts.is_open().await.unwrap());
    accounts.offer_first_admin("http://127.0.0.1:8080").await.unwrap();
    let first = std::fs::read_to_string(&file).unwrap();
    accounts.offer_first_admin("http://127.0.0.1:8080").await.unwrap();
    let offered = std::fs::read_to_string(&file).unwrap();
    assert_ne!(first, offered, "each start makes a new one");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let link = |text: &str| text.trim().strip_prefix("http://127.0.0.1:8080/setup/").unwrap().to_owned();
    assert_eq!(accounts.link_for(&link(&first)).await.unwrap(), None);
    let link = link(&offered);
    assert_eq!(accounts.link_for(&link).await.unwrap(), Some(LinkFor::FirstAdmin));

    let weak = accounts.set_up(&link, ("boss", "王经理"), ["password1", "password1"]).await;
    assert!(matches!(weak, Err(AccountError::Weak(Weak::Guessed))), "{weak:?}");
    let differ = accounts.set_up(&link, ("boss", "王经理"), [PASSWORD, "something else"]).await;
    assert!(matches!(differ, Err(AccountError::Differ)), "{differ:?}");
    accounts.set_up(&link, ("boss", "王经理"), [PASSWORD, PASSWORD]).await.unwrap();
    assert!(!file.exists(), "the file goes with the link");
    assert!(!accounts.is_open().await.unwrap());
    let again = accounts.set_up(&link, ("other", "他人"), [PASSWORD, PASSWORD]).await;
    assert!(matches!(again, Err(AccountError::Person(PersonError::Link))), "{again:?}");
    accounts.offer_first_admin("http://127.0.0.1:8080").await.unwrap();
    assert!(!file.exists(), "a later start offers none");
    world.try_as("BOSS", PASSWORD, [10, 0, 0, 1], None).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_neither_opens_nor_closes_the_hub() {
    let world = World::new().await;
    assert!(world.accounts.is_open().await.unwrap());
    world.accounts.store.close().await;
    assert!(world.accounts.is_open().await.unwrap(), "as it was when the database was last asked");
    let world = World::of_li().await;
    assert!(!world.accounts.is_open().await.unwrap());
    world.accounts.store.close().await;
    assert!(!world.accounts.is_open().await.unwrap());
    let world = World::new().await;
    world.accounts.store.close().await;
    assert!(world.accounts.is_open().await.is_err(), "nothing is known yet");
}

#[tokio::test]
async fn a_hub_that_is_heard_elsewhere_is_never_open() {
    let world = World::new().await;
    let heard = Accounts::new(world.accounts.store.clone(), world.hands.clone(), false, world.folder.path());
    assert!(heard.is_new().await.unwrap());
    assert!(!heard.is_open().await.unwrap());
}

#[tokio::test]
async fn only_the_right_password_signs_in_and_what_is_kept_proves_nothing() {
    let world = World::of_li().await;
    for (login, password) in [("li", "wrong"), ("li", ""), ("nobody", PASSWORD), ("", "")] {
        let refused = world.try_as(login, password, [10, 0, 0, 1], None).await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{login} {password}: {refused:?}");
    }
    let signed_in = world.try_as("li", PASSWORD, [10, 0, 0, 1], None).await.unwrap();
    assert_eq!((signed_in.person.name.as_str(), signed_in.keep), ("李工", None));
    let (session, person) = world.accounts.session(&signed_in.session).await.unwrap().unwrap();
    assert_eq!((person.login.as_str(), session.browser.as_str()), ("li", "Firefox"));
    assert!(world.accounts.session(&session.id).await.unwrap().is_none(), "the name of a session is no proof");
    world.pass(12 * 60);
    assert!(world.accounts.session(&signed_in.session).await.unwrap().is_none(), "a shift is over");
}

#[tokio::test]
async fn whoever_guesses_waits_and_shuts_out_nobody_who_was_here_before() {
    let world = World::of_li().await;
    let known = world.try_as("li", PASSWORD, [10, 0, 0, 1], None).await.unwrap();
    for guess in 0..5 {
        let refused = world.try_as("li", "guess", [10, 0, 1, guess], None).await;
        assert!(matches!(refused, Err(SignInError::Wrong)), "{refused:?}");
    }
    let refused = world.try_as("li", PASSWORD, [10, 0, 2, 1], None).await;
    assert!(matches!(refused, Err(SignInError::Wait(_))), "not even the right one is looked at: {refused:?}");
    let again = world.try_as("li", PASSWORD, [10, 0, 0, 1], Some(&known.browser)).await.unwrap();
    assert_eq!(again.browser, known.browser);
    let made_up = world.try_as("li", PASSWORD, [10, 0, 0, 1], Some("made up")).await;
    assert!(matches!(made_up, Err(SignInError::Wait(_))), "{made_up:?}");
    world.pass(15);
    world.try_as("li", PASSWORD, [10, 0, 2, 1], None).await.unwrap();
}

#[tokio::test]
async fn fifty_guesses_at_once_are_five() {
    let world = World::of_li().await;
    let guesses = (0..50).map(|guess| world.try_as("li", "guess", [10, 0, 3, guess], None));
    let refused = futures_util::future::join_all(guesses).await;
    let looked_at = refused.iter().filter(|refused| matches!(refused, Err(SignInError::Wrong))).count();
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn many_who_sign_in_at_once_from_one_address_all_come_in() {
    let world = World::of_li().await;
    let all = (0..20).map(|_| world.try_as("li", PASSWORD, [10, 0, 0, 1], None));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_the_present_one_and_ends_the_other_sessions() {
    let world = World::of_li().await;
    let [phone, desk] = [
        world.try_as("li", PASSWORD, [10, 0, 0, 1], None).await.unwrap(),
        world.try_as("li", PASSWORD, [10, 0, 0, 2], None).await.unwrap(),
    ];
    let (session, person) = world.accounts.session(&phone.session).await.unwrap().unwrap();
    let new = "新的鞋套机从不卡住";
    let change = async |present, new: [&str; 2]| {
        world.accounts.change((&person, &session.id), IpAddr::from([10, 0, 0, 1]), present, new).await
    };
    assert!(matches!(change("wrong", [new, new]).await, Err(SignInError::Wrong)));
    assert!(matches!(change(PASSWORD, ["short", "short"]).await, Ok(Err(AccountError::Weak(Weak::Length)))));
    change(PASSWORD, [new, new]).await.unwrap().unwrap();
    assert!(world.accounts.session(&phone.session).await.unwrap().is_some());
    assert!(world.accounts.session(&desk.session).await.unwrap().is_none());
    assert!(matches!(world.try_as("li", PASSWORD, [10, 0, 0, 9], None).await, Err(SignInError::Wrong)));
    world.try_as("li", new, [10, 0, 0, 9], None).await.unwrap();
}

#[tokio::test]
async fn whoever_is_disabled_is_signed_out_and_cannot_come_back() {
    let world = World::of_li().await;
    let phone = world.try_as("li", PASSWORD, [10, 0, 0, 1], None).await.unwrap();
    world.accounts.store.set_disabled(&phone.person.id, true, world.hands.now(), &Actor::here("")).await.unwrap();
    assert!(world.accounts.session(&phone.session).await.unwrap().is_none());
    let refused = world.try_as("li", PASSWORD, [10, 0, 0, 1], Some(&phone.browser)).await;
    assert!(matches!(refused, Err(SignInError::Wrong)), "it looks like a wrong password: {refused:?}");
}
