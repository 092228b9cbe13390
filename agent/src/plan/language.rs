//! Names of languages: two letters become three where a container knows only those.

/// ISO 639-1 and the code of ISO 639-2 for the same language (of two, the one that libraries of films use).
const CODES: &str = "\
    aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bi:bis \
    bm:bam bn:ben bo:tib br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:cze cu:chu cv:chv cy:wel da:dan de:ger \
    dv:div dz:dzo ee:ewe el:gre en:eng eo:epo es:spa et:est eu:baq fa:per ff:ful fi:fin fj:fij fo:fao fr:fre fy:fry \
    ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:arm hz:her ia:ina \
    id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:ice it:ita iu:iku ja:jpn jv:jav ka:geo kg:kon ki:kik kj:kua kk:kaz \
    kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao \
    lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mao mk:mac ml:mal mn:mon mr:mar ms:may mt:mlt my:bur na:nau nb:nob nd:nde \
    ne:nep ng:ndo nl:dut nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol \
    ps:pus pt:por qu:que rm:roh rn:run ro:rum ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slo sl:slv \
    sm:smo sn:sna so:som sq:alb sr:srp ss:ssw st:sot su:sun sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk \
    tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln \
    wo:wol xh:xho yi:yid yo:yor za:zha zh:chi zu:zul";

/// The languages that ffmpeg has a number for in QuickTime files, by the one code of each that it knows; seen by writing
/// and reading them.
const MACINTOSH: &str = "eng fra ger ita dut spa sve dan por nor heb jpn ara fin gre ice mlt tur chi urd hin tha kor lit \
    pol hun est lav rus ukr bul ces slk slv ron mac vie ind cat baq wel per";
/// Other codes of those languages.
const MACINTOSH_ALIASES: &str = "fre:fra deu:ger nld:dut swe:sve ell:gre isl:ice zho:chi cze:ces slo:slk rum:ron mkd:mac \
    eus:baq cym:wel fas:per";

fn find(pairs: &str, code: &str) -> Option<String> {
    pairs.split_ascii_whitespace().find_map(|pair| {
        let (from, to) = pair.split_once(':')?;
        (from == code).then(|| to.to_owned())
    })
}

/// The code of three letters for a language tag such as `de`, `pt-BR` or `deu`; none if there is none.
pub(super) fn three_letters(tag: &str) -> Option<String> {
    let code = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    match code.len() {
        3 if code.bytes().all(|b| b.is_ascii_lowercase()) => Some(code),
        2 => find(CODES, &code),
        _ => None,
    }
}

/// The code by which ffmpeg writes this language into a QuickTime file; none if it cannot.
pub(super) fn of_macintosh(tag: &str) -> Option<String> {
    let code = three_letters(tag)?;
    let code = find(MACINTOSH_ALIASES, &code).unwrap_or(code);
    MACINTOSH.split_ascii_whitespace().any(|known| known == code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_spelled_as_the_container_knows_them_or_are_none() {
        for (tag, mp4, mov) in [
            ("eng", Some("eng"), Some("eng")),
            ("de", Some("ger"), Some("ger")),
            ("deu", Some("deu"), Some("ger")),
            ("pt-BR", Some("por"), Some("por")),
            ("zh-Hans", Some("chi"), Some("chi")),
            ("FRE", Some("fre"), Some("fra")),
            ("gle", Some("gle"), None),
            ("english", None, None),
            ("", None, None),
            ("e1x", None, None),
        ] {
            assert_eq!((three_letters(tag).as_deref(), of_macintosh(tag).as_deref()), (mp4, mov), "{tag}");
        }
    }
}
