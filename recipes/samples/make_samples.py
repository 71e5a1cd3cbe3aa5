"""Makes the two bundled sample corpora anew: `python make_samples.py` beside this file.

Needs the `espeak-ng` program (1.51 was used). Every word of the texts was written for this project, the
people are invented, and the voices are espeak-ng's Norwegian one in several variants. The same program
version gives the same files, byte for byte.

Layouts: `npsc` as the day files of the parliament corpus (JSON Lines and one tar.gz a day), `nb-librivox` as
the segmented read-aloud set (metadata.csv and one mp3 an utterance). Waves: float32 [samples], mono.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

HERE = Path(__file__).resolve().parent
VOICES = {  # speaker: voice, words a minute, pitch
    "Kjersti Øvrehus": ("nb+f3", 165, 48),
    "Håkon Brattlien": ("nb+m1", 170, 42),
    "Sunniva Fjellheim": ("nb+f4", 175, 60),
    "Torgeir Myrvoll": ("nb+m3", 160, 35),
    "Astrid Nordviken": ("nb+f2", 180, 66),
    "Ingeborg Lundeby": ("nb+f5", 150, 55),
    "Sverre Aasmo": ("nb+m7", 155, 38),
}
SPEAKER_IDS = {
    "Kjersti Øvrehus": 11,
    "Håkon Brattlien": 24,
    "Sunniva Fjellheim": 37,
    "Torgeir Myrvoll": 52,
    "Astrid Nordviken": 68,
}
K, H, S, T, A = SPEAKER_IDS

# (speaker, transcript, transcript with digits or None, language code or None, the audio says so much and goes
# on)
DAYS: dict[tuple[str, str], list[tuple]] = {
    ("train", "20200107"): [
        (K, "stortingets møte er lovlig satt"),
        (H, "president jeg vil først takke komiteen for et godt arbeid"),
        (H, "<ee> saken gjelder skoleveien i tjue kommuner", "<ee> saken gjelder skoleveien i 20 kommuner"),
        (H, "kjøreturen tar over en time hver dag"),
        (S, "mange foreldre skriver til oss om det samme"),
        (S, "de ønsker seg en tryggere vei til skolen"),
        (S, "vi foreslår at staten betaler halvparten", None, None, "go on"),
        (S, "av det som bygges langs fjorden"),
        (T, "det er ikke sant at ingen har gjort noe"),
        (T, "i nord er ferja stadig innstilt på grunn av været"),
        (T, "vi <inaudible> om å vente litt"),
        (A, "eg vil berre seie at dette hastar", None, "nn-NO"),
        (A, "ungene våre kan ikke stå langs veien i mørket"),
        (
            K,
            "flere har ikke bedt om ordet til sak nummer to",
            "flere har ikke bedt om ordet til sak nummer 2",
        ),
        (K, "votering i denne saken skjer ved møtets slutt"),
    ],
    ("train", "20200114"): [
        (K, "stortingets møte er lovlig satt"),
        (S, "kysten vår lever av fisk og av folk som kan båt"),
        (S, "førti prosent av fangsten går rett ut av landet", "40% av fangsten går rett ut av landet"),
        (S, "<mm> vi spør hvorfor arbeidsplassene forsvinner"),
        (H, "statsråden svarte at tallene skal bli bedre"),
        (H, "men fiskeren på kaia ser ingen forskjell"),
        (H, "kvotene ble delt ut etter et regneark", None, None, "go on"),
        (H, "og ikke etter hvem som faktisk drar på havet"),
        (T, "jeg har selv stått på dekk en kald januarmorgen"),
        (T, "da tenker en ikke på skjema og søknadsfrister"),
        (A, "representanten glemmer at havet er felles eie"),
        (A, "torsk og sild kjenner ingen kommunegrenser"),
        (A, "vi må rydde opp før våren kommer"),
        (K, "da går vi videre til neste sak på kartet"),
    ],
    ("train", "20200121"): [
        (K, "stortingets møte er lovlig satt"),
        (T, "sykehuset i byen vår er for lite"),
        (T, "pasientene ligger på gangen natt etter natt"),
        (T, "det koster seks komma fire millioner å bygge ut", "det koster 6,4 millioner å bygge ut"),
        (A, "sykepleierne løper fra seng til seng"),
        (A, "ingen av dem får spise lunsj i ro"),
        (A, "<ee> vi må <qq> lønne dem skikkelig"),
        (S, "helse handler også om skog og frisk luft"),
        (S, "gi bygda en lege som blir værende"),
        (H, "regnskapet viser at pengene finnes"),
        (H, "de ble bare brukt på noe annet i fjor høst"),
        (H, "kjære kolleger la oss rette opp feilen nå"),
        (K, "den reglementsmessige tiden er straks omme"),
        (K, "møtet er hevet"),
    ],
    ("eval", "20200128"): [
        (S, "biblioteket holder åpent også om kvelden"),
        (S, "der leser barna høyt for hverandre"),
        (S, "en god bok koster mindre enn en bussbillett"),
        (T, "teateret spiller for full sal i hele vinter"),
        (T, "kjøp billett før skuespillerne reiser videre"),
        (T, "kunst er ikke pynt men brød for sjelen"),
        (A, "fiolinen fra dalen høres helt til fjorden"),
        (A, "vi ber om tolv nye plasser på musikkskolen", "vi ber om 12 nye plasser på musikkskolen"),
        (A, "dansen begynner når dagen er slutt"),
    ],
    ("test", "20200204"): [
        (H, "jernbanen over fjellet er hundre år gammel"),
        (H, "skinnene ligger der de alltid har ligget"),
        (H, "toget stanser når snøen fyker over sporet"),
        (A, "vi trenger en tunnel gjennom det verste fjellet"),
        (A, "ellers blir reisen bare lengre for hvert år"),
        (A, "gods på skinner er bedre enn køer på veien"),
    ],
}
MISSING = ("20200114", 9)  # this clip is left out of its archive, as happens in the real one

READERS: dict[str, list[str]] = {
    "Ingeborg Lundeby": [
        "Det var en gang en smed som bodde ved en dyp, svart sjø.",
        "Hver morgen tente han ilden før hanen gol.",
        "«Hvem banker på så sent?» spurte kona hans.",
        "Ute stod en gutt med snø i håret.",
        "Han hadde gått i sju dager uten å se et menneske.",
        "«Kom inn og varm deg,» sa smeden.",
        "Gutten satte seg ved peisen og sa ikke et ord.",
        "Langt ute på isen ulte det, lavt og lenge.",
        "Da reiste den gamle seg og låste døren.",
        "Ingen i bygda sov godt den natten.",
        "Neste dag var sporene borte, som om de aldri hadde vært der.",
        "Kjelen kokte, og katten strakte seg på benken.",
        "Slik begynte det lange, kalde året.",
    ],
    "Sverre Aasmo": [
        "Skipet lå for anker under de høye fjellene.",
        "Kapteinen stirret mot land og tygde på pipen.",
        "Var det lys der inne, eller bare månen?",
        "Mannskapet hvisket om skatter og om gjengangere.",
        "«Sett ut båten!» ropte styrmannen.",
        "Årene dyppet stille i det grønne vannet.",
        "På stranden fant de et brukket sverd og en sko.",
        "Ingen torde røre ved noe av det.",
        "Vinden snudde, og tåken kom sigende inn fra havet.",
        "Den yngste av dem sang for å holde motet oppe.",
        "Først da solen rant, så de hvor de var.",
        "Kirken stod der, hvit og taus, med åpne dører.",
        "Siden har ingen av dem villet snakke om reisen.",
    ],
}


def speak(speaker: str, text: str) -> tuple[np.ndarray, int]:
    """espeak-ng's voice of a speaker: wave and its rate (22,050 Hz)."""
    voice, speed, pitch = VOICES[speaker]
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", text]
    wave, rate = soundfile.read(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))
    return 0.8 * wave / np.abs(wave).max(), rate


def plain(text: str) -> str:
    """What is said: the tags are not read aloud."""
    for tag in ("<ee>", "<mm>", "<qq>", "<inaudible>"):
        text = text.replace(tag, "")
    return " ".join(text.split())


def mp3(wave: np.ndarray, rate: int) -> bytes:
    """About 50 kbit/s at 48 kHz; keeps everything that espeak-ng makes (up to 10.5 kHz)."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        wave,
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=0.8,
    )
    return buffer.getvalue()


def clips_of_day(rows: list[tuple]) -> list[np.ndarray]:
    """Clips at 48 kHz, each a whole number of milliseconds; a row that "goes on" is cut off from the next one
    in the middle of the sound, as the real clips are."""
    waves: list[np.ndarray] = []
    carried: np.ndarray | None = None
    for index, row in enumerate(rows):
        speaker, text = row[0], plain(row[1])
        if carried is not None:
            wave, carried = carried, None
        elif len(row) > 4:
            whole, rate = speak(speaker, text + " " + plain(rows[index + 1][1]))
            share = len(text) / len(text + " " + plain(rows[index + 1][1]))
            middle = loudest_near(whole, int(share * len(whole)), rate)
            wave = soxr.resample(whole[:middle], rate, 48000, "VHQ")
            carried = soxr.resample(whole[middle:], rate, 48000, "VHQ")
            carried = carried[: len(carried) // 48 * 48]
        else:
            wave = soxr.resample(*speak(speaker, text), 48000, "VHQ")
        waves.append(wave[: len(wave) // 48 * 48])
    return waves


def loudest_near(wave: np.ndarray, middle: int, rate: int) -> int:
    """The end of the loudest 50 ms within 150 ms of `middle`."""
    size = rate // 20
    starts = range(middle - 3 * size, middle + 3 * size, size // 5)
    return max(starts, key=lambda start: float(np.square(wave[start : start + size]).sum())) + size


def write_archive(path: Path, members: list[tuple[str, bytes]]) -> None:
    """A tar.gz without dates and owners, so that its bytes depend on its content alone."""
    plain_tar = io.BytesIO()
    with tarfile.open(fileobj=plain_tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(plain_tar.getvalue())


def make_npsc(folder: Path) -> None:
    """The day files: JSON Lines with every column of the real ones, and one archive a day."""
    sentence_id = 9000
    for (split, date), rows in DAYS.items():
        (folder / "data" / split).mkdir(parents=True, exist_ok=True)
        lines, members, now = [], [], 30_000
        for order, (row, wave) in enumerate(zip(rows, clips_of_day(rows), strict=True)):
            start, now = now, now + len(wave) // 48
            stem = f"{date}-095504_{start}_{now}"
            code = row[3] if len(row) > 3 and row[3] else "nb-NO"
            line = {
                "sentence_id": sentence_id,
                "sentence_order": order,
                "speaker_id": SPEAKER_IDS[row[0]],
                "meeting_date": date,
                "speaker_name": row[0],
                "sentence_text": row[1],
                "sentence_language_code": code,
                "text": row[1],
                "start_time": start,
                "end_time": now,
                "normsentence_text": (row[2] if len(row) > 2 else None) or row[1],
                "transsentence_text": "",
                "translated": 0,
                "audio": {"path": f"audio/{stem}.wav"},
                "data_split": split,
                "transcriber_id": 1,
                "reviewer_id": 2,
                "total_duration": 0,
            }
            sentence_id += 1
            lines.append(json.dumps(line, ensure_ascii=False))
            if (date, order) != MISSING:
                members.append((f"{date}_48K_mp3/{stem}.mp3", mp3(wave, 48000)))
        (folder / "data" / split / f"{date}.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
        write_archive(folder / "data" / split / f"{date}_48K_mp3.tar.gz", members)


def make_librivox(folder: Path) -> None:
    """metadata.csv and one mp3 an utterance."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file_name", "text", "speaker_name"])
        for number, (reader, texts) in enumerate(READERS.items(), start=1):
            for index, text in enumerate(texts):
                name = f"data/bok{number}_{index:04d}.mp3"
                (folder / name).write_bytes(mp3(*speak(reader, text)))
                table.writerow([name, text, reader])


if __name__ == "__main__":
    make_npsc(HERE / "npsc")
    make_librivox(HERE / "nb-librivox")
    total = sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file())
    print(f"made both sample corpora, {total / 1e6:.2f} MB")
