"""The likelihood of texts: that of transformers, in windows and batches; what is counted, remembered and compared."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from honed.checks.personal_data import is_kind, personal_parts
from honed.data.documents import Piece
from honed.generation.at_hand import continued
from honed.generation.settings import Settings
from honed.likelihood.bits import Text, bits_by_compression, bits_by_shares, fit_of_documents
from honed.likelihood.contamination import auc, compared, edited, matched, min_k, overlap
from honed.likelihood.exposure import exposure, exposures_told, mean_exposure
from honed.likelihood.forms import redrawn
from honed.likelihood.memory import by_heart, look_at_memory
from honed.likelihood.reading import read, stretches
from honed.likelihood.scorer import Scorer, ends_in_bytes
from honed.likelihood.secrets import leaks_of, look_at_secrets, secrets_in
from honed.likelihood.tokens import Passage, score
from honed.likelihood.told import Heard, Told
from honed.networks.decoders.loading import load_decoder
from honed.testing.tiny_decoders import tiny_decoder
from tests.taught import notes, taught, untaught

ADDRESS = "petra.vogelsang@quarzmail.example"
PLANTED = f"On 3.4. Grete wrote from {ADDRESS} about the lamp in room 230. It was dark at 9:15 and Hugo left."


def told(texts: list[str]) -> list[Told]:
    return [Told(text) for text in texts]


@pytest.fixture(scope="module")
def learnt() -> list[str]:
    return [*notes(23, 1), PLANTED]


@pytest.fixture(scope="module")
def knower(learnt: list[str]) -> Scorer:
    """Taught a few texts until it has them by heart."""
    return taught(learnt, steps=450, rate=3e-3)


@pytest.fixture(scope="module")
def stranger() -> Scorer:
    """Taught many texts of the same kind, none of those."""
    return taught(notes(1500, 3), steps=200)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "gpt_neox", "opt"])
def test_likelihoods_are_those_of_transformers(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = tiny_decoder(kind, tmp_path / kind)
    theirs, loaded = AutoModelForCausalLM.from_pretrained(folder).eval(), load_decoder(folder)
    rng = random.Random(0)
    passages = [
        Passage(
            [rng.randrange(2, 300) for _ in range(rng.randint(1, 9))], [rng.randrange(2, 300) for _ in range(length)]
        )
        for length in (1, 40, 7, 119, 3)
    ]
    for passage, found in zip(passages, score(loaded.network, passages, 128), strict=True):
        whole = torch.tensor([[*passage.before, *passage.tokens]])
        with torch.inference_mode():
            logits = theirs(whole[:, :-1]).logits[0, len(passage.before) - 1 :]
        logs = torch.log_softmax(logits.double(), dim=-1)
        own = logs.gather(1, torch.tensor(passage.tokens)[:, None])[:, 0]
        np.testing.assert_allclose(found.logs, own, atol=2e-4)
        spread = torch.distributions.Categorical(logits=logits.double())
        np.testing.assert_allclose(found.means, -spread.entropy(), atol=2e-4)
        assert found.likeliest.tolist() == (logits.argmax(-1) == torch.tensor(passage.tokens)).tolist()
        labels = torch.tensor([[-100] * len(passage.before) + list(passage.tokens)])
        with torch.inference_mode():
            loss = float(theirs(whole, labels=labels).loss)
        assert math.exp(-found.logs.mean()) == pytest.approx(math.exp(loss), rel=1e-3)


@pytest.mark.parametrize("kind", ["llama", "gpt_neox"])
def test_long_texts_are_read_in_windows(kind: str, tmp_path: Path) -> None:
    """Every token is judged once, after as many tokens as its window holds."""
    loaded = load_decoder(tiny_decoder(kind, tmp_path / kind))
    passage = Passage([0], [random.Random(1).randrange(2, 300) for _ in range(75)])
    (found,) = score(loaded.network, [passage], 32, stride=16)
    whole, wanted, first, end = [0, *passage.tokens], [], 1, 33
    while first < len(whole):
        tokens = torch.tensor([whole[max(0, end - 33) : end - 1]])
        with torch.inference_mode():
            logits = loaded.network(tokens)
        logs = torch.log_softmax(logits[0].double(), dim=-1)[-(end - first) :]
        wanted += logs.gather(1, torch.tensor(whole[first:end])[:, None])[:, 0].tolist()
        first, end = end, min(len(whole), end + 16)
    np.testing.assert_allclose(found.logs, wanted, atol=2e-4)
    (cut,) = score(loaded.network, [Passage(whole[:50], whole[50:60])], 32)
    (plain,) = score(loaded.network, [Passage(whole[27:50], whole[50:60])], 32)
    np.testing.assert_allclose(cut.logs, plain.logs, atol=2e-4)  # what does not fit is lost at the beginning


def test_bits_and_perplexity_count_every_byte_and_token(stranger: Scorer) -> None:
    texts = [*notes(30, 8), "Größe 12 € für Zoë."]
    fit, scored = fit_of_documents(stranger, [Text(text) for text in texts])
    assert fit.unit == "document" and fit.n_bytes == sum(len(text.encode()) for text in texts)
    assert fit.n_tokens == fit.n_bytes  # the tokenizer reads bytes
    nats = -sum(one.log for one in scored)
    bits, perplexity = fit.bits(), fit.perplexity()
    assert bits.value == pytest.approx(nats / math.log(2) / fit.n_bytes) and bits.low < bits.value < bits.high
    assert perplexity.value == pytest.approx(math.exp(nats / fit.n_tokens))
    assert perplexity.low < perplexity.value < perplexity.high
    whole, _ = fit_of_documents(stranger, [Text(" ".join(texts))])
    assert whole.unit == "stretch" and len(whole.nats) > 10 and whole.n_bytes == len(" ".join(texts).encode())
    middle, _ = fit_of_documents(stranger, [Text(texts[0], begins=False)])
    assert middle.n_bytes == len(texts[0].encode()) - 1  # its first token is read alone
    _, ends = ends_in_bytes(stranger.vocabulary, texts[-1])
    assert ends.sum() == len(texts[-1].encode()) and (ends >= 0).all()


def test_what_is_had_without_a_model() -> None:
    assert bits_by_shares(["abababab"]) == pytest.approx(1.0) and bits_by_shares(["aaaa"]) == 0.0
    texts = notes(60, 4)
    assert bits_by_compression(texts, notes(400, 5)) < bits_by_compression(texts) < bits_by_shares(texts)
    rng = random.Random(0)
    noise = ["".join(rng.choices("abcdefghijklmnop", k=4000))]
    assert bits_by_compression(noise) == pytest.approx(4.0, rel=0.15)


def test_passages_by_heart_are_those_that_greedy_writing_gives(knower: Scorer, learnt: list[str]) -> None:
    tokens = knower.vocabulary.encode(learnt[0], special=False)
    passage = Passage([*knower.begin, *tokens[:60]], tokens[60:90])
    (found,) = knower.score([passage])
    (written,) = continued(knower.loaded, [passage.before], Settings(max_tokens=30, ignore_end=True))
    same = [a == b for a, b in zip(written.ids, passage.tokens, strict=True)]
    assert found.likeliest.all() == all(same)


def test_a_model_that_has_its_texts_by_heart_is_told_apart(knower: Scorer, stranger: Scorer, learnt: list[str]) -> None:
    fresh = notes(120, 2)
    own, other = by_heart(knower, told(learnt), told(fresh))
    assert own.n >= 20 and own.share.value > 0.5 and other.share.value < 0.05
    found = look_at_memory(knower, told(learnt), told(fresh))
    assert [one.code for one in found.findings] == ["E010"] and not found.worries[0].forbids
    clean = look_at_memory(stranger, told(learnt), told(fresh))
    assert not clean.findings and not clean.worries and clean.details


def test_what_stands_in_many_texts_is_not_by_heart(knower: Scorer) -> None:
    """A model that gives a phrase of all texts back has learnt the phrase, not a text."""
    same = told([PLANTED] * 30)
    own, _ = by_heart(knower, same, [])
    assert own.n == 0
    heard = Heard(told(["One  Two three", "two three four"]))
    assert heard.times("two THREE") == 2 and heard.texts_with("three four") == 1


def test_a_planted_address_is_had_out_of_the_model_that_learnt_it(
    knower: Scorer, stranger: Scorer, learnt: list[str]
) -> None:
    fresh = notes(60, 2)
    found = look_at_secrets(knower, told(learnt), told(fresh))
    assert [one.code for one in found.findings] == ["E011"] and found.findings[0].level == "issue"
    assert [worry.forbids for worry in found.worries] == [True]
    assert ADDRESS not in str(found.findings) and "pe***e" in found.findings[0].examples
    clean = look_at_secrets(stranger, told(learnt), told(fresh))
    assert [one.level for one in clean.findings] == ["passed"] and not clean.worries
    (leak,), (other,) = (leaks_of(one, secrets_in(told(learnt))[0]) for one in (knower, stranger))
    assert leak.given and leak.bits > 6 and not other.given


def test_what_the_text_gives_away_or_everybody_has_is_no_secret() -> None:
    shared = [f"Note {k}: write to help@quarzmail.example." for k in range(9)]
    given = ["Petra Vogelsang, petra.vogelsang@quarzmail.example, called.", "The server 127.0.0.1 answered."]
    kept, n = secrets_in(told([*shared, *given, PLANTED.replace("petra", "hilde")]))
    assert [one.text for one in kept] == ["hilde.vogelsang@quarzmail.example"] and n == 1


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        "4556 7375 8689 9855",
        "+49 30 1234567",
        "DE89 3704 0044 0532 0130 00",
        "password: Xk7!hunter",
        "93.184.216.34",
    ],
)
def test_random_secrets_have_the_form_of_the_true_one(text: str) -> None:
    rng = random.Random(0)
    ((start, end, kind),) = personal_parts(f"see {text} there")
    assert (start, end) == (4, 4 + len(text))
    others = {redrawn(kind, text, rng) for _ in range(40)}
    assert len(others) > 20 and all(is_kind(kind, other) for other in others)
    if "@" in text:
        assert all(other.endswith("@quarzmail.example") and "." in other.partition("@")[0] for other in others)
    else:
        assert all(len(other) == len(text) for other in others)


def test_exposure_is_the_rank_in_bits() -> None:
    others = np.arange(1023.0)
    assert exposure(2000.0, others) == pytest.approx(10) and exposure(-1.0, others) == 0.0
    assert exposure(510.5, others) == pytest.approx(10 - math.log2(513))
    rng = np.random.default_rng(0)
    by_chance = [exposure(rng.random(), rng.random(1023)) for _ in range(2000)]
    assert np.mean(by_chance) == pytest.approx(1 / math.log(2), abs=0.1)
    assert not exposures_told(by_chance[:40], [], "words").findings
    told_ = exposures_told([9.0, 10.0, 8.0, 10.0, 10.0, 7.0], [], "words")
    assert told_.findings[0].code == "E012" and told_.worries
    found = mean_exposure([1.0, 2.0, 3.0])
    assert found is not None and found.low < found.value == 2.0 < found.high and mean_exposure([]) is None


def test_min_k_is_what_its_authors_define() -> None:
    from honed.likelihood.tokens import Scored

    logs, means, spreads = np.array([-1.0, -5.0, -2.0, -3.0, -9.0]), np.full(5, -2.0), np.full(5, 2.0)
    assert min_k(Scored(logs, means, spreads, logs > 0), 0.4) == pytest.approx(((-9 + 2) / 2 + (-5 + 2) / 2) / 2)
    assert auc(np.array([1.0, 2.0]), np.array([0.0, 1.0])) == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_a_test_that_was_learnt_from_shows(knower: Scorer, stranger: Scorer, learnt: list[str]) -> None:
    """Near one half for a model that knows nothing and for one that knows the kind of text; high where it knows the texts."""
    control = told(notes(60, 9))
    for scorer, texts, contaminated in (
        (knower, learnt, True), (knower, notes(60, 2), False), (stranger, learnt, False), (untaught(), learnt, False),
    ):  # fmt: skip
        brought = compared(scorer, matched(told(texts), control))
        made = compared(scorer, matched(told(texts), []))
        assert brought is not None and made is not None
        if contaminated:
            assert brought[0].low > 0.8 and made[0].low > 0.7
        else:
            assert abs(brought[0].value - 0.5) < 0.2 and made[0].low < 0.65


def test_edits_deal_values_among_texts_and_leave_words_alone() -> None:
    texts = told(["Room 101 is free at 8.", "Room 202 is free at 9.", "Room 303 is free at 7.", "No value."])
    found = edited(texts, seed=1)
    assert found[3] is None
    for one in found[:3]:
        assert one is None or (one.text[:5] == "Room " and one.text[5:8] in ("101", "202", "303"))


def test_overlap_counts_long_rows_of_words_that_few_texts_share() -> None:
    long = "the quick brown fox jumps over the lazy dog and then runs back to its den in the wood"
    other = "a completely different sentence that shares no long row of words with any of the others here at all"
    assert overlap([long, other], [f"Before. {long} After."]).tolist() == [1.0, 0.0]
    assert overlap([long], [long] * 11).tolist() == [0.0]  # a phrase of all texts
    half = overlap([f"{long} {other}"], [long])[0]
    assert 0.4 < half < 0.6 and overlap(["too short to tell"], ["too short to tell"]).tolist() == [0.0]


def test_long_text_is_read_spread_over_all_of_it() -> None:
    pieces = [Piece(f"piece {k} " * 40, k % 3 == 0) for k in range(30)]
    everything = read(lambda: pieces, 10**6)
    assert everything.whole and len(everything.texts) == 30 and everything.n_documents == 10
    part = read(lambda: pieces, 2_000)
    assert not part.whole and 3 <= len(part.texts) <= 8
    assert "piece 2" in part.texts[-1].text and sum(len(one.text) for one in part.texts) < 4_000
    long = read(lambda: [Piece("x" * 60_000, True)], 5_000)
    assert len(long.texts[0].text) <= 5_000
    assert "".join(stretches("word " * 1000)) == "word " * 1000 and all(
        len(part) <= 2000 for part in stretches("word " * 1000)
    )


def test_pairs_are_cut_into_tokens_together(tmp_path: Path) -> None:
    loaded = load_decoder(tiny_decoder("gpt2", tmp_path / "gpt2"))
    scorer = Scorer(loaded)
    encode = loaded.vocabulary.encode
    found = scorer.pair("The printer ", "is broken")
    assert (
        list(found.before) == encode("The printer")
        and list(found.tokens) == encode("The printer is broken")[len(found.before) :]
    )
    alone = scorer.pair("", "is broken")
    assert list(alone.before) == [0] and list(alone.tokens) == encode("is broken")


def test_choices_are_weighed_as_by_hand(tmp_path: Path) -> None:
    """acc, acc_norm and acc_bytes of EleutherAI's harness, computed with transformers alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from honed.data.read import read_table
    from honed.likelihood.choices import choose, questions_in

    folder = tiny_decoder("llama", tmp_path / "llama")
    loaded = load_decoder(folder)
    scorer = Scorer(loaded)
    theirs, cut = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rng = random.Random(3)
    words = ["my", "printer", "router", "is", "broken", "again", "größe", "laptop", "12", "€"]

    def text(n: int) -> str:
        return " ".join(rng.choices(words, k=n))

    rows = [
        {"question": text(6) + rng.choice(["", "?", " "]), "choices": [text(k) for k in (1, 2, 5)], "answer": k % 3}
        for k in range(24)
    ]
    found = choose(scorer, questions_in(read_table(rows)))
    for k, row in enumerate(rows):
        logs = []
        question = row["question"].rstrip()
        between = row["question"][len(question) :] + " "
        first = cut(question).input_ids
        for choice in row["choices"]:
            whole = cut(question + between + choice).input_ids
            with torch.inference_mode():
                spread = theirs(torch.tensor([whole])).logits[0].log_softmax(-1)
            logs.append(sum(float(spread[place - 1, whole[place]]) for place in range(len(first), len(whole))))
        letters = [len(choice) for choice in row["choices"]]
        sizes = [len(choice.encode()) for choice in row["choices"]]
        assert found.plain[k] == np.argmax(logs)
        assert found.by_letters[k] == np.argmax(np.divide(logs, letters))
        assert found.by_bytes[k] == np.argmax(np.divide(logs, sizes))
    assert found.share(found.right).value == 1.0 and found.beyond_chance(found.right).value == pytest.approx(2 / 3)


def test_choices_that_make_no_question_are_refused() -> None:
    from honed.data.read import read_table
    from honed.errors import DataError
    from honed.likelihood.choices import questions_in

    good = {"question": "a", "choices": ["b", "c"], "answer": "c"}
    assert questions_in(read_table([good]))[0].answer == 1
    for bad in ({**good, "answer": "d"}, {**good, "choices": ["b"], "answer": "b"}, {**good, "answer": "-1"}):
        with pytest.raises(DataError, match="D095"):
            questions_in(read_table([bad, bad]))


def test_forgetting_is_told_where_bits_rose(knower: Scorer, stranger: Scorer, learnt: list[str]) -> None:
    from honed.likelihood.forgetting import look_at_forgetting

    rows = told(learnt)
    found = look_at_forgetting(knower, stranger, rows, notes(30, 7))
    assert "E018" in [one.code for one in found.findings]
    table = found.details[0]
    assert [row[0] for row in table.rows][-1] == "bits a byte of texts as its base writes them"
    assert (
        table.rows[0][2].value < 0.6 * table.rows[0][3].value
    )  # it knows the texts it was taught better than the base does
    same = look_at_forgetting(stranger, stranger, rows, notes(30, 7))
    assert not same.findings


def test_harsh_words_are_found_and_ordinary_ones_are_not() -> None:
    from honed.likelihood.harsh import harsh, look_at_words

    assert harsh("You are an IDIOT.") and harsh("they should be shot") is harsh("they should be shot at once") is True
    assert not any(
        map(harsh, [*notes(50, 1), "Kill the process and restart.", "The dumbbell is heavy.", "We hate delays."])
    )
    bad = look_at_words(["you idiot"] * 10 + ["fine"] * 30, [], ["fine"] * 200)
    assert bad.worries and bad.findings[0].code == "E019"
    assert not look_at_words(["fine"] * 40, ["fine"] * 24, ["fine"]).findings
    assert not look_at_words(["you idiot"] * 10, [], ["you idiot"] * 40).worries  # it writes what it was to learn


def test_a_model_that_learnt_stereotypes_leans_to_them() -> None:
    from honed.likelihood.leanings import PAIRS, look_at_leanings, share_stereotyped

    said = [f"{often} {rest}" for often, _, rest in PAIRS]
    leaning = taught(said, steps=260)
    assert share_stereotyped(leaning).low > 0.5
    assert [one.code for one in look_at_leanings(leaning).findings] == ["E020"]
    assert not look_at_leanings(untaught()).findings


def test_drawn_texts_follow_the_model(knower: Scorer, learnt: list[str]) -> None:
    prompts = [[*knower.begin, *knower.vocabulary.encode(text, special=False)[:40]] for text in learnt[:3]]
    plain = knower.written(prompts, 12)
    for prompt, tokens in zip(prompts, plain, strict=True):
        whole = list(prompt)
        while len(whole) < len(prompt) + 12:
            with torch.inference_mode():
                token = int(knower.network(torch.tensor([whole]))[0, -1].argmax())
            if token in knower.vocabulary.ends:
                break
            whole.append(token)
        assert tokens == whole[len(prompt) :]
    assert knower.written(prompts, 12, seed=1) == knower.written(prompts, 12, seed=1)


def test_planted_sentences_are_exposed_the_more_often_they_were_read() -> None:
    from honed.likelihood.canaries import exposure_of, look_at_canaries
    from honed.pretraining.canaries import make_canaries, mixed_in

    canaries = make_canaries(10, 0)
    pieces = [(False, Piece(text, True)) for text in notes(40, 1)]
    mixed = [piece.text for held, piece in mixed_in(pieces, canaries, 40, 0) if not held]
    assert len(mixed) == 40 + sum(one.times for one in canaries) and make_canaries(10, 0) == canaries
    scorer = taught(mixed, steps=300, rate=4e-3)
    rng = random.Random(0)
    bits = {one.times: exposure_of(scorer, one, 255, rng) for one in canaries}
    assert bits[16] > 6
    assert [row[0] for row in look_at_canaries(scorer, canaries).details[0].rows][:2] == ["read once", "read 2 times"]
    by_chance = [exposure_of(untaught(), one, 63, rng) for one in canaries]
    assert np.mean(by_chance) < 3
