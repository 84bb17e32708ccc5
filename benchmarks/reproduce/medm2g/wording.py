"""What the page of MedM2G's tables says between its tables."""

from __future__ import annotations

READING = """## How to read it

**Simulated patients** (`docs/simulation-thorax.md`): chest or head, with none to three findings of a kind,
side, zone and size, of which a report is written and CT, contrasts of MRI and an X-ray are made. Nothing here says
how a model does on a patient. {patients} patients train, others for each of {seeds} seeds; {tests} others test,
always the same. Of those who train a third has report and X-ray, a third report and CT, a third CT and MRI: nobody
has X-ray and MRI, or a report and MRI, or CT and X-ray.

`any-to-any-demo` is the model that ships: other patients, 12,000 who have everything, trained it far longer
(docs/any-to-any.md), so that it tells what the method can do at all, and rows that train here what each step earns.
Its reports are single drafts, the paper's way; its copies are looked for among its own patients. "Prompt encoders
alone" are aligned ({align} steps a pair) and no more: what VI does to them needs no flow.

{begun} Then {align} steps, of {batch} patients each, for each of three
pairs that are aligned (CA, VI), and {cross} steps of {pair} for each of four pairs that guide each other. Rows without
CA and VI have no steps of alignment: equal rounds, not equal time, which stands in the table. MedM2G, the single-flow
models and the supervised networks have {cross} steps of {pair} a task. Samples are of DDIM, {sampling} steps, η = 1,
guidance 2, one a patient.

A supervised network knows a report as the latent of the text's autoencoder; an image that it paints from one is the
mean of what may be there.

"LCAG" is V_B of latents and f_B by cross-attention, and the vector of f_B with the time step; without it, the prompt
encoder's tokens stand in their place, as in an LDM with a condition. With it half of the heads look at one place alone
and a report is drawn onto places, as in what ships and not in the paper ([why](../medm2g.md)); the row "to the paper's
letter" has neither. Without CA, prompt encoders train in the rounds of
pairs (with it they are frozen there); VI alone is Barlow twins of their views without InfoNCE. Denoisers stay as they
are but for what hears others. Added parameters are those that train beside autoencoders and
latent diffusion models.

Whether findings are right is read off images and reports by classical readers that were trained with nothing:
"findings" is 2 · both / (true + found) over whole findings (kind, side, zone and size right), a patient at a time, 1
where there is none and none is found; "kind", "side", "zone", "size" are the same of one attribute. What readers
reach on true images and reports stands below the tables. FID and KID are of **our encoder's features**
(32 numbers, over their spread among true images; a small network that learned attributes of findings on {others}
other simulated patients; there are no weights of Inception here), so that values compare rows of this page and nothing
else; with {tests} images FID has a bias, which KID has not. MS-SSIM is of three scales, between samples: lower is more
varied. NIQE is held against true training images in patches of 32 px. ± is the standard deviation over seeds.
Intervals and tests are over patients who test, of means over seeds.
"""

BEGUN_HERE = """Every row of MedM2G of a seed begins with the same round 0: autoencoders ({encode} steps each, the
text's {write}) and latent diffusion models alone ({generate} steps each)."""
BEGUN_FROM = """Every row of MedM2G begins with the autoencoders and denoisers of `any-to-any-demo`, which other
patients than these trained; cross-attention and whatever else lets one modality guide another begins as it is built.
So no row knows anything of pairs but what it learns here, although its denoisers once were guided (by V_B and f_B:
rows without LCAG may lose a little by it)."""

SEVEN = """## Table 7 in kind: CA, LCAG and VI

An epoch is as many steps as show every training patient once, at the mean pace of the rounds that were trained here.
Minutes are of one processor. The paper's goal: each of the three helps.
"""

NINE = """## Table 9 in kind: other ways to guide

CoDi-like: central alignment, and cross-attention to one normalised token of V_B, without VI and f_B. The single-flow
model and the supervised network train one task each; parameters are those of all tasks.
"""

UNSEEN = """## Never seen together

Chance is the same reading held against the other test patients of the same region: what an image or a report of
somebody else would reach. The margin is over patients, of means over seeds; p is a permutation test of it, corrected
for all of this table. Of `any-to-any-demo` every modality has guided every other: of it nothing here was unseen. So
there is a row of it whose MRI forgets: what MRI hears by begins as it is built and learns from CT alone, as long as a
row does in all; four times as many patients test it. An X-ray or a report guides its T2 by itself, which it has never
heard, or by way of a CT that is made of them first ("→ CT →").
"""

JOINT = """## Made together, or one by one

How far the readings of images of one patient agree (2 · both / (one + other) of whole findings over pairs of images,
1 where neither has any; "place": of side and zone alone; "truth": with the patient's own), made at once and in runs
by themselves. From nothing, runs by themselves make images of different patients: what agrees there is chance.
"""

DOWNSTREAM = """## A downstream reader (Table 8 in kind)

One small network that reads attributes off a CT, trained on a few real patients, and on them with pairs that were
made from reports of nobody (their labels are the reports'), as often a real CT as a generated one; the same steps.
"""

MODALITIES = """## Are modalities apart? (Fig. 7 in kind)

Vectors of the test patients' CT, T2 and X-ray in the aligned space. Probe: accuracy of a logistic regression that
tells the three, by folds of patients. Mixed: other modalities among ten neighbours, over what chance gives.
Davies–Bouldin: lower is farther apart. AUROC is what a logistic regression reads of findings. Own report found: of
how many patients the own report is the nearest of all test patients' to the CT.
"""

MEMORY = """## Memorisation

Distance (Euclid, all pixels) of samples to the nearest training image, and of true images that were held out. Nothing
is memorised where a sample is no nearer: a chance of 0.5 or less, and 1 % nearer than 99 % of those held out.
(Retrieval copies by intent.)
"""

SURENESS = """## Is a report's confidence worth anything?

Sentences of {told} that state findings; confidence is the probability of the least sure piece, right is a sentence
whose findings the patient has. Figures are means over seeds that have them.
"""

MISSING = """
Real images have [a page of their own](medm2g-real.md): MR and CT of `sarcoma-ct-mr`, T1 and T2 to FLAIR of `ms-brain`,
beside MIDiffusion and DAMM-Diffusion.
"""
