//! Forms of the register that were not taken.

use lobby_dashboards::{
    ItemForm, ItemMistake, ItemPage, ItemRefused, MoveRefused, MovesPage, Page, PhotoMistake, RegisterPage,
    RegisterTexts,
};
use lobby_domain::register::{Field, Mistake};

use super::{HOSTILE, Sample, Scene};

/// The pages with each of them, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let item = |page: ItemPage| (page.render(), page.render_main());
    let mistake = ItemMistake::Field(Field::Quantity, Mistake::Quantity);
    let field =
        ItemPage { form: Some(s.noted(Field::Quantity, "many", &mistake.words(s.0))), ..s.not_taken(mistake, "edit") };
    let stale = ItemPage {
        form: Some(s.noted(Field::Place, HOSTILE, &RegisterTexts::changed_meanwhile(s.0, HOSTILE))),
        ..s.not_taken(ItemMistake::Stale, "edit")
    };
    let gone = ItemPage { form: None, ..s.not_taken(ItemMistake::Gone, "edit") };
    let add = RegisterPage {
        form: s.noted(Field::Name, "", &ItemMistake::Field(Field::Name, Mistake::NoName).words(s.0)),
        ..s.register()
    };
    let mut moves = MovesPage { chrome: s.chrome(Page::Register), moves: s.register_moves() };
    moves.moves[0].refused = Some(MoveRefused { reason: String::new(), by: HOSTILE.into() });
    let pages = [
        ("register-refused", (add.render(), add.render_main())),
        ("item-refused", item(field)),
        ("item-refused-stale", item(stale)),
        ("item-refused-gone", item(gone)),
        ("item-refused-reason", item(s.not_taken(ItemMistake::Reason, "write-off"))),
        ("item-refused-move", item(s.not_taken(ItemMistake::Pieces, "move"))),
        ("item-refused-photo", item(s.not_taken(ItemMistake::Photo(PhotoMistake::Kind), "photo"))),
        ("moves-refused", (moves.render(), moves.render_main())),
    ];
    let sample = |(name, (page, main))| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}

impl Scene {
    /// The page of an item with a form that was not taken.
    fn not_taken(&self, mistake: ItemMistake, verb: &str) -> ItemPage {
        let typed = [
            ("key", "1c0ffee0-5a11-4b1d-8e55-0123456789ab".to_owned()),
            ("pieces", "0".to_owned()),
            ("place", self.say("滨江案场", "Riverside site")),
            ("reason", HOSTILE.to_owned()),
            ("by", self.say("小林", "Lin")),
        ];
        let typed = typed.map(|(name, text)| (name.to_owned(), text)).into();
        ItemPage { refused: Some(ItemRefused { mistake, verb: verb.into(), typed }), ..self.item_page() }
    }

    /// The form of an item with something to say beside a field.
    fn noted(&self, field: Field, value: &str, note: &str) -> ItemForm {
        let mut form = self.item_form("/register/demo/00003-3");
        for input in form.inputs.iter_mut().filter(|input| input.field == field) {
            value.clone_into(&mut input.value);
            input.note = Some(note.to_owned());
        }
        form
    }
}
