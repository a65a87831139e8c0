"""``python -m autograd quiz``: a formula, one question for each step of its backward pass, and a score."""

from collections.abc import Callable
from dataclasses import dataclass

from autograd.explaining.answers import DIAGNOSES, Question, diagnose, questions
from autograd.explaining.formatting import format_number
from autograd.explaining.formula import last_operation
from autograd.explaining.recorded_pass import RecordedPass
from autograd.explaining.typeset import flattened
from autograd.graph import Node
from autograd.typing import Json

from .parsing import finite_number

HELP = "Type a number, or: hint, show (the answer), quit.\n"
DIGITS = 4


@dataclass
class Quiz:
    """Asks for the contributions and sums of a backward pass.

    Parameters
    ----------
    root : Node
        The result, of scalars.
    read : callable
        Returns the next answer; raises EOFError at the end of the input.
    write : callable
        Writes a piece of text.
    """

    root: Node
    read: Callable[[], str]
    write: Callable[[str], None]

    def run(self) -> dict[str, Json]:
        """Ask all questions; return the score and the answers."""
        self.steps: RecordedPass = RecordedPass(self.root, {}, None)
        asked = list(questions(self.steps.steps))
        self.introduce()
        score = 0
        records: list[Json] = []
        for number, question in enumerate(asked, 1):
            self.write(f"\nQuestion {number} of {len(asked)}: {self.wording(question)}\n")
            if number == 1:  # the first question shows its working, the others only as hints
                self.write(self.hints(question)[0])
            given, goes_on = self.answers(question)
            records.append({"expected": question.expected, "given": given})
            score += [key for _, key in given] == ["right"]
            if not goes_on:
                break
        self.write(f"\n{score} of {len(asked)} correct at the first attempt.\n")
        return {"score": score, "questions": len(asked), "answers": records}

    def introduce(self) -> None:
        """Write the formula and the forward pass."""
        names, data = self.steps.names, self.steps.data
        self.write(f"{flattened(self.steps.title())}\n\nForward pass:\n")
        for node in self.steps.order:
            made = f" = {flattened(last_operation(node, names))}" if node.op else ""
            self.write(f"  {names[node]}{made} = {format_number(data[node], DIGITS)}\n")
        self.write(f"\nBackward pass: what is the contribution of each step?  {HELP}")

    def wording(self, question: Question) -> str:
        """Return the question in words."""
        step, root = question.steps[0], self.steps.names[self.root]
        node, argument = self.steps.names[step.node], self.steps.names[step.argument]
        if len(question.steps) > 1:
            return f"d{root}/d{argument}, the sum over its {len(question.steps)} paths = ?"
        return f"d{root}/d{node} * ∂{node}/∂{argument} = ?"

    def hints(self, question: Question) -> list[str]:
        """Return the hints for a question: the rule, then the values."""
        step = question.steps[0]
        node, argument = self.steps.names[step.node], self.steps.names[step.argument]
        if len(question.steps) > 1:
            terms = " + ".join(format_number(float(s.contribution), DIGITS) for s in question.steps)
            return [f"  Add the contributions of all paths: {terms}.\n"]
        up, local = (format_number(float(x), DIGITS) for x in (step.upstream, step.local))
        made = flattened(last_operation(step.node, self.steps.names))
        return [
            f"  {node} = {made}, so ∂{node}/∂{argument} = {step.formula}; the upstream gradient is {up}.\n",
            f"  Upstream times local = {up} * {local}.\n",
        ]

    def answers(self, question: Question) -> tuple[list[tuple[str, str]], bool]:
        """Read answers until one is correct or given up; return them, and whether to go on.

        Each is the text and the key of its diagnosis.  A hint counts as an attempt.
        """
        given: list[tuple[str, str]] = []
        hints = iter(self.hints(question))
        shown = f"  The answer is {format_number(question.expected, DIGITS)}.\n"
        while True:
            self.write("> ")
            try:
                text = self.read().strip()
            except EOFError:
                text = "quit"
            if text == "quit":
                return given, False
            if text == "show":
                self.write(shown)
                return given, True
            if text == "hint":
                given.append((text, ""))
                self.write(next(hints, shown))
            elif (answer := finite_number(text.replace("−", "-"))) is None:
                self.write(HELP)
            else:
                key, operation = diagnose(answer, question)
                given.append((text, key))
                self.write(f"  {DIAGNOSES[key].format(operation=operation)}\n")
                if key == "right":
                    return given, True
