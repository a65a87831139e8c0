"""`Value`: its data, its gradient and the text that represents it."""

from autograd import Value


def test_the_numbers_of_a_value_as_an_array():
    assert Value(2.5).numpy().tolist() == 2.5
