"""Of several drafts of a report the one that lies nearest to what was given.

A flow draws from all reports that it holds for possible, of which most are wrong somewhere. The encoders that were
aligned judge a text and an image together better than the flow follows the image, so they choose, as CLIP does among
the images of DALL·E (Ramesh et al. 2021, §2.6). MedM2G does not do so; one draft is the paper's way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.errors import InputError
from diffuscope.ports.text import Written
from diffuscope.systems.medm2g.config import TEXT
from diffuscope.systems.medm2g.guide import Guide
from diffuscope.systems.medm2g.text.tokens import Tokens


def nearest(guide: Guide, tokens: Tokens, given: Mapping[str, Tensor], drafts: Sequence[Written]) -> Written:
    """Return the draft whose vector is nearest to those of the images, by the mean of their cosines.

    Parameters
    ----------
    guide : Guide
        The flows, with the encoders that were aligned.
    tokens : Tokens
        Of the text.
    given : mapping of str to Tensor
        Pictures (1, 1, s, s) in [−1, 1] by key, at least one.
    drafts : sequence of Written
        At least one; one that is empty or longer than the encoder reads is chosen where there is no other, the first.
    """
    readable: list[Written] = []
    ids: list[Tensor] = []
    for one in drafts:
        try:
            ids.append(tokens.encode(one.text))
        except InputError:
            continue
        readable.append(one)
    if not readable:
        return drafts[0]
    first = next(iter(given.values()))
    text = guide.flow(TEXT).see(torch.stack(ids).to(first.device), torch.zeros(len(ids)).long().to(first.device))[0]
    cosines = torch.zeros(len(ids), device=first.device)
    for key, x in given.items():
        flow = guide.flow(guide.config.modality(key))
        kind = torch.full((1,), list(flow.keys).index(key), dtype=torch.long, device=x.device)
        cosines += F.cosine_similarity(text.float(), flow.see(x, kind)[0].float(), dim=1)
    return readable[int(cosines.argmax())]
