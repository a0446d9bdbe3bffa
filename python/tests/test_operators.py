"""The other operators in one call, against NumPy."""

import unittest

import naive
import numpy
import skiplane

random = numpy.random.default_rng(2)


def draw(*shape):
    return random.uniform(-1, 1, shape).astype(numpy.float32)


def max_pool(x, kernel, stride, sides, dilation, size):
    return naive.windows(naive.pad(x, sides, -numpy.inf), kernel, stride, dilation, size).max(axis=(0, 1))


def average_pool(x, kernel, stride, sides, size, count_include_pad):
    sums = naive.windows(naive.pad(x, sides), kernel, stride, (1, 1), size).sum(axis=(0, 1))
    counted = naive.pad(numpy.ones_like(x), sides, float(count_include_pad))
    return sums / naive.windows(counted, kernel, stride, (1, 1), size).sum(axis=(0, 1))


class Operators(unittest.TestCase):
    def assert_close(self, actual, expected, limit=1e-5):
        self.assertEqual(actual.dtype, numpy.float32)
        self.assertEqual(actual.shape, expected.shape)
        self.assertTrue((abs(actual - expected) <= limit).all(), f"largest error {abs(actual - expected).max()}")

    def test_max_pool(self):
        x = draw(2, 19, 11, 13)
        for kernel, stride, padding, dilation in (
            ((3, 3), (2, 2), 1, (1, 1)),
            ((2, 3), (2, 3), 0, (1, 1)),
            ((3, 2), (1, 2), (1, 0), (1, 1)),
            ((2, 2), (2, 1), 1, (2, 3)),
        ):
            with self.subTest(kernel=kernel, stride=stride, padding=padding):
                height, width = padding if isinstance(padding, tuple) else (padding, padding)
                sides = (height, height, width, width)
                size = naive.output_size(x.shape[2:], kernel, stride, dilation, sides)
                expected = max_pool(x, kernel, stride, sides, dilation, size)
                y = skiplane.max_pool2d(x, kernel, stride=stride, padding=padding, dilation=dilation)
                self.assert_close(y, expected, 0)
        self.assertEqual(skiplane.max_pool2d(x, 3).shape, (2, 19, 3, 4))
        self.assertEqual(skiplane.max_pool2d(x, 3, ceil_mode=True).shape, (2, 19, 4, 5))

    def test_average_pool(self):
        x = draw(1, 17, 10, 9)
        kernel, stride, sides = (3, 2), (2, 2), (1, 1, 1, 0)
        size = naive.output_size(x.shape[2:], kernel, stride, (1, 1), sides)
        for count_include_pad in (False, True):
            y = skiplane.average_pool2d(
                x, kernel, stride=stride, padding=((1, 1), (1, 0)), count_include_pad=count_include_pad
            )
            self.assert_close(y, average_pool(x, kernel, stride, sides, size, count_include_pad))
        self.assert_close(
            skiplane.average_pool2d(x[:, :, :9], 3), average_pool(x, (3, 3), (3, 3), (0,) * 4, (3, 3), True)
        )

    def test_global_average_pool(self):
        x = draw(3, 21, 7, 5)
        self.assert_close(skiplane.global_average_pool(x), x.astype(numpy.float64).mean(axis=(2, 3)))

    def test_batch_norm(self):
        x, mean, gamma, beta = draw(2, 18, 5, 4), draw(18), draw(18), draw(18)
        variance = abs(draw(18)) + 0.1
        self.assert_close(
            skiplane.batch_norm(x, mean, variance, gamma, beta, epsilon=1e-3),
            naive.batch_norm(x, mean, variance, gamma, beta, 1e-3),
        )
        ones, zeros = numpy.ones(18), numpy.zeros(18)
        self.assert_close(skiplane.batch_norm(x, mean, variance), naive.batch_norm(x, mean, variance, ones, zeros))
        self.assert_close(
            skiplane.batch_norm(x, mean, variance, beta=beta), naive.batch_norm(x, mean, variance, ones, beta)
        )

    def test_relu_and_add(self):
        a, b = draw(3, 5, 7), draw(3, 5, 7)
        self.assert_close(skiplane.relu(a), naive.relu(a), 0)
        self.assert_close(skiplane.add(a, b), a + b, 0)
        self.assert_close(skiplane.add(a, b, relu=True), naive.relu(a + b), 0)
        self.assertTrue(numpy.isnan(skiplane.relu(numpy.array([numpy.nan], numpy.float32))).all())
        skiplane.relu(a, out=a)
        self.assertGreaterEqual(a.min(), 0)

    def test_dense(self):
        x, weights, bias = draw(3, 33), draw(21, 33), draw(21)
        expected = x.astype(numpy.float64) @ weights.astype(numpy.float64).T
        self.assert_close(skiplane.dense(x, weights), expected)
        self.assert_close(skiplane.dense(x, weights, bias), expected + bias)
        self.assert_close(skiplane.dense(x, numpy.asfortranarray(weights)), expected)

    def test_softmax(self):
        x = 10 * draw(4, 37)
        y = skiplane.softmax(x)
        self.assert_close(y, naive.softmax(x), 1e-6)
        self.assertTrue(numpy.allclose(y.sum(axis=1), 1, atol=1e-6))

    def test_options(self):
        tiny = numpy.full((1, 1), 1e-39, numpy.float32)
        one = numpy.ones((1, 1), numpy.float32)
        self.assertEqual(skiplane.dense(tiny, one)[0, 0], tiny[0, 0])
        self.assertEqual(skiplane.dense(tiny, one, flush_denormals=True)[0, 0], 0)
        x = draw(2, 40, 9, 9)
        expected = skiplane.average_pool2d(x, 3, isa="generic", threads=1).tobytes()
        for isa in skiplane.isas():
            self.assertEqual(skiplane.average_pool2d(x, 3, isa=isa, threads=2).tobytes(), expected)

    def test_refusals(self):
        x = draw(1, 3, 6, 6)
        invalid = skiplane.InvalidArgumentError
        for message, call in {
            r"^x: shape \(3, 6, 6\)": lambda: skiplane.max_pool2d(x[0], 2),
            "^kernel: -2, expected": lambda: skiplane.max_pool2d(x, -2),
            "a size is 0": lambda: skiplane.max_pool2d(x, 0),
            "pad": lambda: skiplane.max_pool2d(x, 2, padding=2),
            r"^mean: shape \(2,\), expected \(3,\)": lambda: skiplane.batch_norm(x, draw(2), draw(3)),
            r"^gamma: shape \(4,\), expected \(3,\)": lambda: skiplane.batch_norm(x, draw(3), draw(3), draw(4)),
            r"^b: shape \(1, 3, 6, 5\), expected \(1, 3, 6, 6\)": lambda: skiplane.add(x, x[..., :5]),
            r"^weights: shape \(2, 4\), expected \(outputs, 3\)": lambda: skiplane.dense(draw(1, 3), draw(2, 4)),
            r"^x: shape \(1, 3, 6, 6\), expected \(batch, classes\)": lambda: skiplane.softmax(x),
            r"^out: shape \(1, 2\), expected \(1, 3\)": lambda: skiplane.global_average_pool(x, out=draw(1, 2)),
            "expected auto, generic": lambda: skiplane.relu(x, isa="sse9"),
        }.items():
            with self.subTest(message=message), self.assertRaisesRegex(invalid, message):
                call()


if __name__ == "__main__":
    unittest.main()
