"""Affine and B-spline registration of two density images by SimpleITK, coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk

from diffuscope.registration.density import Density
from diffuscope.registration.transform import Bend, Transform

# Points of tissue at which the metric is taken, whatever the slide's size, and the seed that draws them.
SAMPLES = 50_000
SEED = 1
_BINS = 32
_AFFINE_STEPS, _BEND_STEPS = 200, 30
# µm/px of the affine stage's levels, coarse to fine, over that of the images; of the bend's.
_AFFINE_SHRINK = (8, 4, 2, 1)
_BEND_SHRINK = (8, 4, 2)
# Control points over those of the first level. A first level that is too stiff to follow a wave is caught on the wrong
# nuclei, and the next ones do not free it: begun with half as many, a fifth of the tissue was lost.
_BEND_SCALES = (1, 1, 2)
# Of LBFGS, gradient over position. Both are in µm, and a gradient of 1e-5 of them is far from flat.
_FLAT = 1e-8


class Pair:
    """Two density images that are being registered, as ITK sees them: in µm, first pixel at half a pixel."""

    def __init__(self, fixed: Density, moving: Density) -> None:
        self._mpp = fixed.mpp
        self._fixed, self._moving = _image(fixed.values, fixed.mpp), _image(moving.values, moving.mpp)
        self._mask = _image(fixed.tissue.astype(np.uint8), fixed.mpp)
        self._fraction = min(1.0, SAMPLES / fixed.tissue.sum())
        rows, columns = np.nonzero(fixed.tissue)
        self._centre = ((columns.mean() + 0.5) * fixed.mpp, (rows.mean() + 0.5) * fixed.mpp)

    def information(self, transform: Transform) -> float:
        """Return the mutual information of the two images under a transform, nats; 0 where they do not overlap."""
        method = self._method((1,))
        method.SetInitialTransform(_to_itk(transform))
        try:
            with _one_thread():
                return -float(method.MetricEvaluate(self._fixed, self._moving))
        except RuntimeError:  # ITK: too many samples map outside the moving image
            return 0.0

    def fit_affine(self, start: Transform) -> Transform | None:
        """Return the affine transform of most mutual information near `start`; None where it lost the overlap."""
        method = self._method(_AFFINE_SHRINK)
        own = sitk.AffineTransform(2)
        own.SetCenter(self._centre)  # about the tissue, so that turning and shifting are independent
        own.SetMatrix(start.matrix.ravel().tolist())
        own.SetTranslation((start.to_moving(self._centre) - self._centre).tolist())
        method.SetInitialTransform(own, inPlace=True)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=2.0 * self._mpp, minStep=1e-3 * self._mpp, numberOfIterations=_AFFINE_STEPS
        )
        method.SetOptimizerScalesFromPhysicalShift()
        try:
            with _one_thread():
                method.Execute(self._fixed, self._moving)
        except RuntimeError:  # ITK: all samples map outside the moving image
            return None
        matrix = np.array(own.GetMatrix()).reshape(2, 2)
        return Transform(matrix, np.array(own.TransformPoint((0.0, 0.0))))

    def fit_bend(self, affine: Transform, spacing: float) -> Transform:
        """Return `affine` with the B-spline before it that correlates the images most.

        By now both densities rise and fall together, and a correlation is caught on wrong nuclei less than mutual
        information is, which few points at the coarse levels leave noisy.

        Parameters
        ----------
        affine : Transform
            From `fit_affine`.
        spacing : float
            Between control points at the finest level, µm; rounded so that a whole number of them spans the slide.
        """
        method = self._method(_BEND_SHRINK)
        extent = np.array(self._fixed.GetSize()) * self._mpp
        mesh = np.maximum(np.rint(extent / spacing / _BEND_SCALES[-1]), 1).astype(int)
        bend = sitk.BSplineTransformInitializer(self._fixed, mesh.tolist(), order=3)
        method.SetMetricAsCorrelation()
        method.SetMovingInitialTransform(_to_itk(affine))
        method.SetInitialTransformAsBSpline(bend, inPlace=True, scaleFactors=list(_BEND_SCALES))
        method.SetOptimizerAsLBFGS2(numberOfIterations=_BEND_STEPS, solutionAccuracy=_FLAT)
        with _one_thread():
            method.Execute(self._fixed, self._moving)
        images = bend.GetCoefficientImages()
        (x, y), (dx, dy) = images[0].GetOrigin(), images[0].GetSpacing()
        coefficients = np.stack([sitk.GetArrayFromImage(image) for image in images]).astype(np.float64)
        return Transform(affine.matrix, affine.shift, Bend((x, y), (dx, dy), coefficients))

    def _method(self, shrink: tuple[int, ...]) -> sitk.ImageRegistrationMethod:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=_BINS)
        method.SetMetricFixedMask(self._mask)
        method.SetMetricSamplingStrategy(method.RANDOM)
        # A level that is shrunk has fewer points to draw from.
        method.SetMetricSamplingPercentagePerLevel([min(1.0, self._fraction * n * n) for n in shrink], seed=SEED)
        method.SetShrinkFactorsPerLevel(list(shrink))
        method.SetSmoothingSigmasPerLevel([0.5 * n * self._mpp for n in shrink])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetInterpolator(sitk.sitkLinear)
        return method


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order, so that the transform is the same whatever the machine's cores: ITK's threads sum in their own.

    What `sitk.ImageRegistrationMethod` builds inside takes the default, not the method's own number of threads.
    """
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _image(values: np.ndarray, mpp: float) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((mpp, mpp))
    image.SetOrigin((mpp / 2, mpp / 2))
    return image


def _to_itk(transform: Transform) -> sitk.Transform:
    affine = sitk.AffineTransform(transform.matrix.ravel().tolist(), transform.shift.tolist())
    if transform.bend is None:
        return affine
    images = []
    for values in transform.bend.coefficients:
        image = sitk.GetImageFromArray(values)
        image.SetOrigin(transform.bend.origin)
        image.SetSpacing(transform.bend.spacing)
        images.append(image)
    return sitk.CompositeTransform([affine, sitk.BSplineTransform(images, 3)])
