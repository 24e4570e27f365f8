//! Real Kubo as the gateway and the routing server of people whose own nodes are gone.

use vault_core::IpnsName;
use vault_http::client::BaseUrl;
use vault_http::gateway::Gateway;
use vault_http::routing::Routing;

use crate::kubo::Kubo;
use crate::people::*;
use crate::world::World;

/// Puts all blocks of a home into Kubo, as its pinner would.
fn import(kubo: &Kubo, w: &World, who: &str) {
    for entry in std::fs::read_dir(w.path(who).join("blocks")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "car") {
            kubo.run(&["dag", "import", "--pin-roots=false", path.to_str().unwrap()]);
        }
    }
}

#[test]
fn a_grant_and_a_whole_vault_come_through_kubo() {
    let settings = [("Gateway.ExposeRoutingAPI", "true")];
    let Some(kubo) = Kubo::start_with("dhtserver", &settings) else {
        return;
    };
    let url = kubo.gateway();
    let w = ada_and_bo();
    let words = w.path("words");
    let words = words.to_str().unwrap();
    let (_, ticket) = share_lab(&w, "ticket");
    import(&kubo, &w, "ada");
    w.ok("ada", &["config", "set", "ipfs.routing", &url]);
    w.ok("ada", &["head", "publish"]);

    // what Kubo keeps is the record as it was handed in
    let shown = &w.json("ada", &["head", "show"])[0];
    let name: IpnsName = shown["name"].as_str().unwrap().parse().unwrap();
    let base = BaseUrl::parse(&url).unwrap();
    let by_routing = Routing::new(base.clone())
        .unwrap()
        .get_name(&name, 0)
        .unwrap();
    let by_gateway = Gateway::new(base).unwrap().ipns_record(&name, 0).unwrap();
    assert_eq!(by_routing, by_gateway);
    assert_eq!(
        by_routing.head().to_string(),
        shown["cid"].as_str().unwrap()
    );

    w.ok("bo", &["inbox", "accept", &ticket, "--gateway", &url]);
    w.ok("bo", &["config", "set", "ipfs.gateways", &url]);
    assert_eq!(seen(&w).len(), 2);
    for id in seen(&w) {
        assert_eq!(get(&w, "bo", &id), get(&w, "ada", &id));
    }
    let id = add(&w, "ada", "new.json", lab("new"));
    import(&kubo, &w, "ada");
    w.ok("ada", &["head", "publish"]);
    w.ok("bo", &["config", "set", "ipfs.routing", &url]);
    sync(&w);
    assert_eq!(get(&w, "bo", &id), lab("new").as_bytes());

    // with nothing but the words
    let init = [
        "init",
        "--name",
        "eve",
        "--work-factor",
        "10",
        "--words-out",
        words,
    ];
    w.ok("eve", &init);
    let id = add(&w, "eve", "only.json", lab("only"));
    import(&kubo, &w, "eve");
    w.ok("eve", &["head", "publish", "--routing", &url]);
    std::fs::remove_dir_all(w.path("eve")).unwrap();
    let init = [
        "init",
        "--recover",
        "--words-file",
        words,
        "--work-factor",
        "10",
    ];
    w.ok("eve", &[&init[..], &["--gateway", &url]].concat());
    assert_eq!(get(&w, "eve", &id), lab("only").as_bytes());
    healthy(&w, "eve");
}
