//! The demonstration that the README begins with.

use crate::world::World;

#[test]
fn the_demo_holds_every_promise() {
    let w = World::new();
    let ran = w.run("nobody", &["demo", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!w.path("nobody").exists(), "the demo used a person's home");
}
