//! What is told of boxes as they are met.

use super::*;
use crate::device::testing::{LAVAPIPE, card};
use crate::device::{Kind, NvidiaGpu};

fn wish(devices: &[&str], software: Software) -> Wish {
    let devices = devices.iter().map(|word| (*word).to_owned()).collect();
    Wish { state_dir: None, ffmpeg: None, ffprobe: None, devices, software }
}

fn tools(encoders: &[&str]) -> Tools {
    Tools {
        ffmpeg: "/usr/bin/ffmpeg".into(),
        ffprobe: "/usr/bin/ffprobe".into(),
        version_line: String::new(),
        probe_version_line: String::new(),
        major: 9,
        encoders: encoders.iter().map(|name| (*name).to_owned()).collect(),
        filters: Default::default(),
        probe_decoders: Default::default(),
    }
}

fn devices(devices: Vec<VulkanDevice>) -> Result<Answer, Trouble> {
    Ok(Answer::Devices { loader: "1.4.303".into(), devices })
}

fn seen(vulkan: Result<Answer, Trouble>) -> Seen {
    Seen { vulkan, nodes: Vec::new(), nvidia: Vec::new(), nvidia_driver: None }
}

fn render_node(pci: &str, access: Access) -> RenderNode {
    RenderNode { path: "/dev/dri/renderD128".into(), pci: pci.parse().ok(), driver: "i915".into(), access }
}

fn nvidia(pci: &str) -> NvidiaGpu {
    NvidiaGpu { pci: pci.parse().unwrap(), model: "NVIDIA L4".into(), uuid: "GPU-1".into() }
}

/// One line a finding, as they are printed.
fn lines(seen: &Seen, tools: Option<&Tools>, wish: &Wish) -> Vec<String> {
    let line = |f: Finding| format!("{} {}: {}", f.verdict.word(), f.check, f.text);
    judge(seen, tools, wish).into_iter().map(line).collect()
}

fn plain(seen: &Seen) -> Vec<String> {
    lines(seen, None, &wish(&[], Software::LeftOut))
}

#[test]
fn a_box_with_lavapipe_alone_converts_on_its_processor() {
    let seen = seen(Ok(serde_json::from_str(LAVAPIPE).unwrap()));
    let who = "0: llvmpipe (LLVM 15.0.6, 256 bits), software, driver llvmpipe Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6), \
               Vulkan 1.4.305";
    assert_eq!(
        plain(&seen),
        [
            "ok Vulkan loader: 1.3.239".to_owned(),
            format!("note Vulkan device: {who}; left out, counted only with --allow-cpu-vulkan"),
            "note GPU: none is seen: this box converts on its processor".to_owned(),
        ]
    );
    let counted = lines(&seen, None, &wish(&[], Software::Counted));
    assert_eq!(counted[1], format!("note Vulkan device: {who}; has no video queues"));
}

#[test]
fn a_box_with_nothing_at_all_has_nothing_to_do_about_it() {
    let seen = seen(Ok(Answer::NoLoader("libvulkan.so.1: cannot open".into())));
    assert_eq!(
        plain(&seen),
        [
            "note Vulkan loader: not usable here: libvulkan.so.1: cannot open",
            "note GPU: none is seen: this box converts on its processor",
        ]
    );
}

#[test]
fn a_gpu_without_its_loader_or_driver_gets_a_remedy() {
    for (vulkan, remedy) in [
        (Ok(Answer::NoLoader("libvulkan.so.1".into())), "libvulkan1"),
        (Ok(Answer::NoDriver("ERROR_INCOMPATIBLE_DRIVER".into())), "mesa-vulkan-drivers"),
        (devices(Vec::new()), "mesa-vulkan-drivers"),
    ] {
        let mut seen = seen(vulkan);
        seen.nodes.push(render_node("0000:00:02.0", Access::Granted));
        let findings = judge(&seen, None, &wish(&[], Software::LeftOut));
        let warned: Vec<_> = findings.iter().filter(|f| f.verdict == Verdict::Warning).collect();
        assert!(matches!(&warned[..], [one] if one.fix.contains(remedy)), "{findings:?}");
    }
}

#[test]
fn a_driver_that_cannot_be_asked_is_named_and_worked_around() {
    for trouble in
        [Trouble::Crashed(11), Trouble::Hung(10), Trouble::Quit(1), Trouble::Garbled("it is not whole")]
    {
        let findings = judge(&seen(Err(trouble.clone())), None, &wish(&[], Software::LeftOut));
        assert_eq!(findings[0].verdict, Verdict::Warning, "{trouble}");
        assert!(findings[0].text.contains(&trouble.to_string()), "{findings:?}");
        assert!(!findings[0].fix.is_empty());
    }
    let skipped = judge(&seen(Err(Trouble::NoProgram)), None, &wish(&[], Software::LeftOut));
    assert_eq!(skipped[0].verdict, Verdict::Note);
}

#[test]
fn equal_cards_are_told_apart_and_each_way_to_one_is_on_its_line() {
    let mut seen = seen(devices(vec![card(0, "0000:c1:00.0"), card(1, "0000:01:00.0")]));
    seen.nodes.push(render_node("0000:c1:00.0", Access::Granted));
    seen.nvidia.push(nvidia("0000:01:00.0"));
    let all = tools(&["h264_vulkan", "hevc_vulkan"]);
    let told = lines(&seen, Some(&all), &wish(&[], Software::LeftOut));
    assert_eq!(
        told[1],
        "ok Vulkan device: 0: NVIDIA L4, discrete, 0000:c1:00.0, driver NVIDIA 570.86.10, Vulkan 1.4.303; encodes h264 \
         (8 bit, up to 4096x4096), hevc (8 bit, up to 4096x4096); decodes h264 (8 bit, up to 4096x4096), hevc (8 bit, up \
         to 4096x4096)"
    );
    assert_eq!(
        told[3..],
        [
            "ok GPU: 0000:01:00.0 NVIDIA L4: Vulkan device 1, NVIDIA GPU-1",
            "ok GPU: 0000:c1:00.0 NVIDIA L4: Vulkan device 0, render node /dev/dri/renderD128",
        ]
    );
}

#[test]
fn a_data_centre_card_without_an_encode_engine_is_a_plain_finding() {
    let mut device = card(0, "0000:01:00.0");
    device.video.retain(|facts| facts.way == Way::Decode);
    let finding = of_device(&device, Software::LeftOut);
    assert_eq!((finding.verdict, finding.fix.as_str()), (Verdict::Note, ""));
    assert!(finding.text.contains("has no encode engine; decodes h264"), "{finding:?}");
    device.video.clear();
    let finding = of_device(&device, Software::LeftOut);
    assert!(finding.verdict == Verdict::Note && finding.fix.contains("newer driver"), "{finding:?}");
}

#[test]
fn an_ffmpeg_that_lacks_what_the_card_could_run_is_a_warning() {
    let findings = judge(
        &seen(devices(vec![card(0, "0000:01:00.0")])),
        Some(&tools(&["h264_vulkan"])),
        &wish(&[], Software::LeftOut),
    );
    let warned: Vec<_> = findings.iter().filter(|f| f.verdict == Verdict::Warning).collect();
    assert!(matches!(&warned[..], [one] if one.text.contains("no hevc_vulkan")), "{findings:?}");
}

#[test]
fn a_render_node_for_a_group_names_the_group_and_one_that_is_not_passed_on_the_container() {
    let denied = node(&render_node("", Access::Denied { group: Some("video".into()) })).unwrap();
    assert!(denied.fix.starts_with("usermod -aG video"), "{denied:?}");
    let missing = node(&render_node("", Access::Missing)).unwrap();
    assert!(missing.fix.contains("--device /dev/dri"), "{missing:?}");
    assert_eq!(node(&render_node("", Access::Granted)), None);
}

#[test]
fn a_card_that_no_vulkan_driver_has_is_a_warning_where_vulkan_works() {
    let mut software = card(0, "");
    software.kind = Kind::Cpu;
    let mut seen = seen(devices(vec![software]));
    seen.nvidia.push(nvidia("0000:01:00.0"));
    let told = plain(&seen);
    assert!(
        told.last().unwrap().starts_with("warn GPU: 0000:01:00.0 NVIDIA L4: NVIDIA GPU-1; no Vulkan"),
        "{told:?}"
    );
}

#[test]
fn only_the_devices_that_were_asked_for_are_shown_each_once() {
    let seen = seen(devices(vec![card(0, "0000:c1:00.0"), card(1, "0000:01:00.0")]));
    let told = lines(&seen, None, &wish(&["01:00.0", "1", "9"], Software::LeftOut));
    let shown: Vec<_> = told.iter().filter(|line| line.contains("Vulkan device: ")).collect();
    assert!(shown.len() == 2 && shown[0].starts_with("bad ") && shown[1].contains("1: NVIDIA"), "{told:?}");
}

#[test]
fn names_that_would_steer_a_terminal_are_cleaned() {
    let mut device = card(0, "");
    device.name = "evil\u{1b}[2J\u{202e}".into();
    assert!(of_device(&device, Software::LeftOut).text.starts_with("0: evil[2J, discrete"));
}
