"""Speaks standard input with the espeak-ng library and writes a WAV to standard output; a script of its own.

Called as `library_speaker.py LIBRARY DATA -v VOICE -s SPEED -p PITCH ...`, the options being those of the
program. Needs nothing but the standard library. Constants are those of espeak-ng's speak_lib.h.
"""

import ctypes
import sys
import wave

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback, nothing is played
DONT_EXIT = 1 << 15  # espeakINITIALIZE_DONT_EXIT: return an error instead of ending the process
RATE, PITCH = 1, 3  # espeak_PARAMETER
UTF8 = 1  # espeakCHARS_UTF8
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main(library_path: str, data: str, options: dict[str, str]) -> int:
    library = ctypes.CDLL(library_path)
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DONT_EXIT)
    if rate <= 0:
        sys.stderr.write(f"the library does not start with its data in {data}\n")
        return 1
    if hasattr(library, "espeak_ng_SetRandSeed"):  # since 1.52 its noises are drawn from the time of day
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    samples = bytearray()

    def collect(wav, count, events) -> int:
        if wav and count > 0:
            samples.extend(ctypes.string_at(wav, 2 * count))
        return 0

    callback = CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(options["-v"].encode()) != 0:
        sys.stderr.write("there is no such voice\n")
        return 1
    library.espeak_SetParameter(RATE, int(options["-s"]), 0)
    library.espeak_SetParameter(PITCH, int(options["-p"]), 0)
    text = sys.stdin.buffer.read() + b"\0"
    if library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, UTF8, None, None) != 0:
        sys.stderr.write("the library refused the text\n")
        return 1
    library.espeak_Synchronize()
    with wave.open(sys.stdout.buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.setnframes(len(samples) // 2)
        file.writeframesraw(bytes(samples))
    return 0


if __name__ == "__main__":
    arguments = sys.argv[3:]
    sys.exit(main(sys.argv[1], sys.argv[2], dict(zip(arguments[0:6:2], arguments[1:6:2], strict=True))))
