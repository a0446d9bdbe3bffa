"""Convolutions, as plans and in one call, against NumPy."""

import threading
import unittest

import naive
import numpy
import skiplane

random = numpy.random.default_rng(1)


def draw(*shape):
    return random.uniform(-1, 1, shape).astype(numpy.float32)


def bound(x, weights, case):
    """What rounding may do to each result: some epsilons of the sum of the products' sizes."""
    return 1e-5 * naive.conv2d(abs(x), abs(weights), **case) + 1e-30


# x, weights, and the arguments of naive.conv2d.
CASES = {
    "1x1": ((1, 5, 3, 4), (7, 5, 1, 1), {}),
    "3x3": ((2, 3, 8, 9), (4, 3, 3, 3), {"sides": (1, 1, 1, 1)}),
    "7x7, stride 2": ((1, 3, 21, 17), (18, 3, 7, 7), {"stride": (2, 2), "sides": (3, 3, 3, 3)}),
    "strides": ((2, 4, 9, 13), (3, 4, 3, 2), {"stride": (2, 3)}),
    "sides": ((1, 2, 5, 6), (3, 2, 3, 3), {"sides": (0, 1, 2, 3)}),
    "dilation": ((1, 3, 12, 11), (5, 3, 3, 3), {"dilation": (2, 3), "sides": (2, 2, 3, 3)}),
    "groups": ((2, 6, 7, 7), (9, 2, 3, 3), {"groups": 3, "sides": (1, 1, 1, 1)}),
    "depthwise": ((1, 20, 6, 7), (20, 1, 3, 3), {"groups": 20, "stride": (2, 1)}),
    "wide": ((3, 40, 5, 5), (33, 40, 3, 3), {"sides": (1, 1, 1, 1)}),
}


def keywords(case):
    """What skiplane calls the arguments of naive.conv2d."""
    top, bottom, left, right = case.get("sides", (0, 0, 0, 0))
    return {
        "stride": case.get("stride", 1),
        "dilation": case.get("dilation", 1),
        "groups": case.get("groups", 1),
        "padding": ((top, bottom), (left, right)),
    }


class Convolution(unittest.TestCase):
    def assert_close(self, actual, expected, limit):
        self.assertEqual(actual.dtype, numpy.float32)
        self.assertEqual(actual.shape, expected.shape)
        self.assertTrue((abs(actual - expected) <= limit).all(), f"largest error {abs(actual - expected).max()}")

    def test_values(self):
        for name, (x_shape, weights_shape, case) in CASES.items():
            x, weights, bias = draw(*x_shape), draw(*weights_shape), draw(weights_shape[0])
            plain = naive.conv2d(x, weights, **case)
            limit = bound(x, weights, case)
            residual = draw(*plain.shape)
            whole = naive.relu(naive.conv2d(x, weights, bias, **case) + residual)
            for isa in skiplane.isas():
                with self.subTest(case=name, isa=isa):
                    arguments = {**keywords(case), "isa": isa}
                    self.assert_close(skiplane.conv2d(x, weights, **arguments), plain, limit)
                    y = skiplane.conv2d(x, weights, bias, residual=residual, relu=True, **arguments)
                    self.assert_close(y, whole, limit + 1e-6)
                    plan = skiplane.Conv2d(x_shape, weights, bias, residual=True, relu=True, **arguments)
                    self.assertEqual(plan.output_shape, whole.shape)
                    self.assertEqual(plan.run(x, residual).tobytes(), y.tobytes())

    def test_padding_and_pairs(self):
        x, weights = draw(1, 2, 9, 9), draw(3, 2, 3, 3)
        for padding, sides in ((1, (1, 1, 1, 1)), ((1, 2), (1, 1, 2, 2)), ([(0, 1), (2, 0)], (0, 1, 2, 0))):
            case = {"sides": sides, "stride": (2, 1)}
            y = skiplane.conv2d(x, weights, padding=padding, stride=(2, 1))
            self.assert_close(y, naive.conv2d(x, weights, **case), bound(x, weights, case))

    def test_algorithms(self):
        x, weights, case = draw(1, 16, 14, 14), draw(32, 16, 3, 3), {"sides": (1, 1, 1, 1)}
        for algorithm in ("direct", "winograd2", "winograd4", "winograd6"):
            with self.subTest(algorithm=algorithm):
                plan = skiplane.Conv2d(x.shape, weights, padding=1, algorithm=algorithm)
                self.assertEqual(plan.algorithm, algorithm)
                self.assert_close(plan.run(x), naive.conv2d(x, weights, **case), 20 * bound(x, weights, case))
                self.assertEqual(
                    plan.run(x).tobytes(), skiplane.conv2d(x, weights, padding=1, algorithm=algorithm).tobytes()
                )

    def test_bits_hang_on_no_isa_or_thread(self):
        x, weights = draw(2, 24, 15, 15), draw(40, 24, 3, 3)
        expected = skiplane.conv2d(x, weights, padding=1, isa="generic", threads=1).tobytes()
        for isa in skiplane.isas():
            for threads in (1, 2, 3):
                y = skiplane.conv2d(x, weights, padding=1, isa=isa, threads=threads)
                self.assertEqual(y.tobytes(), expected)

    def test_describes_itself(self):
        plan = skiplane.Conv2d((2, 16, 8, 8), draw(32, 16, 3, 3), isa="generic", algorithm="direct")
        self.assertEqual((plan.isa, plan.algorithm, plan.output_shape), ("generic", "direct", (2, 32, 6, 6)))
        self.assertGreaterEqual(plan.weight_bytes, 32 * 16 * 9 * 4)
        self.assertGreater(plan.workspace_bytes, 0)

    # ---- Arrays -------------------------------------------------------------------------------------------------

    def test_layouts_in_memory(self):
        weights = draw(4, 3, 3, 3)
        x = draw(2, 3, 6, 8)
        expected = skiplane.conv2d(x, weights).tobytes()
        fortran = numpy.asfortranarray(x)
        nhwc = numpy.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        every_other = numpy.zeros((2, 3, 6, 16), numpy.float32)
        every_other[..., ::2] = x
        backwards = numpy.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1]
        swapped = x.astype(">f4")
        for name, array in {
            "fortran": fortran,
            "nhwc": nhwc,
            "every other": every_other[..., ::2],
            "backwards": backwards,
            "big-endian": swapped,
        }.items():
            with self.subTest(array=name):
                before = array.copy()
                self.assertEqual(skiplane.conv2d(array, weights).tobytes(), expected)
                self.assertEqual(skiplane.conv2d(x, numpy.asfortranarray(weights)).tobytes(), expected)
                self.assertTrue((array == before).all())

    def test_element_types(self):
        weights = draw(2, 1, 1, 1)
        x = random.integers(0, 255, (1, 1, 4, 4))
        expected = skiplane.conv2d(x.astype(numpy.float32), weights).tobytes()
        for kind in (numpy.uint8, numpy.int16, numpy.float16):
            self.assertEqual(skiplane.conv2d(x.astype(kind), weights).tobytes(), expected)
        for kind in (numpy.float64, numpy.int32, numpy.complex64, object):
            with self.assertRaisesRegex(TypeError, f"^x: dtype {numpy.dtype(kind)}, expected float32"):
                skiplane.conv2d(x.astype(kind), weights)
        with self.assertRaisesRegex(TypeError, "^x: list, expected a numpy.ndarray"):
            skiplane.conv2d([[[[1.0]]]], weights)

    def test_out(self):
        x, weights = draw(1, 2, 5, 5), draw(3, 2, 3, 3)
        expected = skiplane.conv2d(x, weights)
        out = numpy.empty((1, 3, 3, 3), numpy.float32)
        self.assertIs(skiplane.conv2d(x, weights, out=out), out)
        self.assertEqual(out.tobytes(), expected.tobytes())
        frozen = out.copy()
        frozen.flags.writeable = False
        for wrong, error, message in (
            (
                numpy.empty((1, 3, 3, 4), numpy.float32),
                ValueError,
                r"^out: shape \(1, 3, 3, 4\), expected \(1, 3, 3, 3\)$",
            ),
            (numpy.empty((1, 3, 3, 3)), TypeError, "^out: dtype float64, expected float32"),
            (numpy.empty((1, 3, 3, 3), ">f4"), TypeError, "^out: dtype >f4, expected float32"),
            (numpy.empty((1, 3, 3, 3), numpy.float32, order="F"), ValueError, "^out: not a C-contiguous"),
            (frozen, ValueError, "^out: .*writable"),
            ([], TypeError, "^out: list"),
        ):
            with self.assertRaisesRegex(error, message):
                skiplane.conv2d(x, weights, out=wrong)

    def test_residual_in_place(self):
        x, weights, residual = draw(1, 3, 6, 6), draw(3, 3, 3, 3), draw(1, 3, 6, 6)
        plan = skiplane.Conv2d(x.shape, weights, padding=1, residual=True)
        expected = plan.run(x, residual).tobytes()
        memory = draw(2 * residual.size)
        place = memory[: residual.size].reshape(residual.shape)
        place[:] = residual
        self.assertEqual(plan.run(x, place, out=place).tobytes(), expected)
        shifted = memory[1 : residual.size + 1].reshape(residual.shape)
        with self.assertRaisesRegex(skiplane.InvalidArgumentError, "^out: overlaps"):
            plan.run(x, place, out=shifted)
        with self.assertRaisesRegex(skiplane.InvalidArgumentError, "^out: overlaps"):
            plan.run(x, residual, out=x)
        # One call reads all before it writes.
        self.assertEqual(skiplane.conv2d(x, weights, padding=1, residual=residual, out=x).tobytes(), expected)

    # ---- Refusals -----------------------------------------------------------------------------------------------

    def test_refusals(self):
        x, weights = draw(1, 4, 5, 5), draw(6, 4, 3, 3)

        def refuses(error, message, *arguments, **more):
            with self.assertRaisesRegex(error, message):
                skiplane.conv2d(*arguments, **more)

        invalid = skiplane.InvalidArgumentError
        refuses(invalid, r"^x: shape \(4, 5, 5\), expected \(batch, channels, height, width\)", x[0], weights)
        refuses(invalid, r"^weights: shape \(6, 3, 3, 3\), expected \(out_channels, 4, ", x, weights[:, :3])
        refuses(invalid, r"^bias: shape \(5,\), expected \(6,\)$", x, weights, draw(5))
        refuses(invalid, r"^residual: shape .*expected \(1, 6, 3, 3\)$", x, weights, residual=x)
        refuses(invalid, "^groups: 3 does not divide the 4 channels", x, weights, groups=3)
        refuses(invalid, "^groups: -1, expected", x, weights, groups=-1)
        refuses(invalid, "^stride: -1, expected 0 to", x, weights, stride=-1)
        refuses(invalid, "^stride: ", x, weights, stride=(1, 1, 1))
        refuses(invalid, "stride", x, weights, stride=0)
        refuses(invalid, r"^padding: ", x, weights, padding=((1, 1), 1))
        refuses(invalid, "kernel", x[:, :, :2], weights)
        refuses(invalid, "overflow|too large|[0-9]{10}", x, weights, padding=2**62)
        refuses(invalid, "expected auto, generic", x, weights, isa="sse9")
        refuses(invalid, "expected auto, direct", x, weights, algorithm="fft")
        refuses(invalid, "^threads: -1", x, weights, threads=-1)
        refuses(invalid, "has a NUL", x, weights, isa="avx2\0")
        refuses(TypeError, "^stride: 1.5, expected an integer", x, weights, stride=1.5)
        refuses(TypeError, "^isa: None, expected a string", x, weights, isa=None)
        refuses(skiplane.UnsupportedError, "winograd4", x, weights, stride=3, algorithm="winograd4")
        refuses(invalid, "", draw(1, 4, 0, 5), weights)
        plan = skiplane.Conv2d(x.shape, weights)
        for array, residual, message in ((x[:, :, :4], None, "^x: shape"), (x, x, "^residual: not planned")):
            with self.assertRaisesRegex(invalid, message):
                plan.run(array, residual)
        with self.assertRaisesRegex(invalid, "^residual: missing"):
            skiplane.Conv2d(x.shape, weights, residual=True).run(x)
        with self.assertRaisesRegex(invalid, "^x_shape: "):
            skiplane.Conv2d(x.shape[1:], weights)

    def test_errors_are_what_python_expects(self):
        for error, base in (
            (skiplane.InvalidArgumentError, ValueError),
            (skiplane.OutOfMemoryError, MemoryError),
            (skiplane.FileError, OSError),
            (skiplane.FormatError, ValueError),
            (skiplane.UnsupportedError, skiplane.Error),
        ):
            self.assertTrue(issubclass(error, base) and issubclass(error, skiplane.Error))

    # ---- Threads ------------------------------------------------------------------------------------------------

    def test_threads_share_a_plan(self):
        weights = draw(16, 8, 3, 3)
        plan = skiplane.Conv2d((1, 8, 12, 12), weights, threads=1)
        inputs = [draw(1, 8, 12, 12) for _ in range(4)]
        expected = [plan.run(x).tobytes() for x in inputs]
        wrong = []

        def work(mine):
            for _ in range(50):
                if plan.run(inputs[mine]).tobytes() != expected[mine]:
                    wrong.append(mine)

        run_threads(work, 4)
        self.assertEqual(wrong, [])

    def test_each_thread_has_its_own_message(self):
        wrong = []

        def work(mine):
            for _ in range(100):
                try:
                    skiplane.choose_isa(f"isa{mine}")
                except skiplane.InvalidArgumentError as error:
                    if f'"isa{mine}"' not in str(error):
                        wrong.append(str(error))

        run_threads(work, 4)
        self.assertEqual(wrong, [])


def run_threads(work, count):
    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    unittest.main()
