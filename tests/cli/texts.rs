//! What the help says.

use crate::world::World;

#[test]
fn help() {
    let w = World::new();
    insta::assert_snapshot!("help", w.ok("a", &["--help"]));
    insta::assert_snapshot!("help_short", w.ok("a", &["-h"]));
    insta::assert_snapshot!("help_share", w.ok("a", &["share", "--help"]));
    insta::assert_snapshot!("help_backup", w.ok("a", &["backup", "--help"]));
    insta::assert_snapshot!("help_restore", w.ok("a", &["restore", "--help"]));
    let export = w.ok("a", &["grant", "export", "--help"]);
    insta::assert_snapshot!("help_grant_export", export);
    insta::assert_snapshot!("help_record_add", w.ok("a", &["record", "add", "--help"]));
}

#[test]
fn no_secret_is_taken_as_an_argument() {
    let w = World::new();
    for command in [
        &["--help"][..],
        &["init", "--help"],
        &["identity", "passphrase", "--help"],
    ] {
        let help = w.ok("a", command);
        assert!(!help.contains("--passphrase <"), "{help}");
        assert!(!help.contains("--words <"), "{help}");
    }
}
