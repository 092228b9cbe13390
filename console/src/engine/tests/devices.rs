//! What an agent offers changes while it is connected.

use vc_protocol::device::{BoxFacts, DeviceFacts, GpuFacts};

use super::*;

fn card(slots: u16) -> Device {
    let codecs = vec![VideoCodec::H264, VideoCodec::Hevc];
    Device { id: DeviceId(1), kind: DeviceKind::Gpu, name: "RTX 4090".into(), slots, codecs }
}

fn cpu() -> Device {
    let codecs = vec![VideoCodec::H264];
    Device { id: DeviceId(0), kind: DeviceKind::Cpu, name: "cpu".into(), slots: 1, codecs }
}

#[tokio::test]
async fn a_card_that_comes_gets_work_and_is_remembered_with_its_slots() {
    let bench = Bench::new(&["a.mov", "b.mov", "c.mov", "d.mov"]);
    let (store, engine) = bench.start();
    let mut ada = Player::connect(&engine, 1, Vec::new()).await;
    bench.add(&engine, &["a.mov", "b.mov", "c.mov", "d.mov"]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(ada.hear_offer().await.device, DeviceId(0));
    }
    ada.say(FromAgent::Devices(vec![cpu(), card(1)])).await;
    for _ in 0..2 {
        assert_eq!(ada.hear_offer().await.device, DeviceId(1));
    }
    ada.say(FromAgent::Devices(vec![cpu(), card(5)])).await;
    let facts = DeviceFacts {
        id: DeviceId(1),
        gpu: Some(GpuFacts { pci: "0000:01:00.0".into(), ..GpuFacts::default() }),
        slots_note: "5: the driver refuses a sixth".into(),
        ..DeviceFacts::default()
    };
    ada.say(FromAgent::Facts(Box::new(BoxFacts { devices: vec![facts], ..BoxFacts::default() }))).await;
    let answers = async {
        while ada.hear().await != Some(ToAgent::WantOwnLog) {}
        ada.say(FromAgent::OwnLog("started".to_owned())).await;
    };
    let (detail, ()) = tokio::join!(engine.handle.agent(AgentId(1)), answers);
    let detail = detail.unwrap().unwrap();
    let shown: Vec<_> =
        detail.view.devices.iter().map(|d| (d.short.as_str(), d.slots, d.runs.len())).collect();
    assert_eq!(shown, [("cpu", 1, 2), ("gpu0", 5, 2)]);
    assert_eq!(detail.devices[1].facts, [("PCI".to_owned(), "0000:01:00.0".to_owned())]);
    assert_eq!(detail.devices[1].learned, "5: the driver refuses a sixth");
    stop(engine).await;
    drop(store);
    let (_store, engine) = bench.start();
    let snapshot = engine.handle.snapshot().await.unwrap();
    assert_eq!(snapshot.agents[0].devices[1].name, "RTX 4090");
    stop(engine).await;
}
