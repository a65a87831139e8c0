"""The interface that scikit-learn expects of an estimator beyond `fit` and `predict`, without a dependency on it."""

from __future__ import annotations

import html
import inspect
from typing import Any, ClassVar, Self

from nn.typing import State

ROUTED = ("fit", "partial_fit", "score")  # methods with an argument sample_weight


class Protocol:
    """Arguments by name, representations, tags and metadata routing."""

    kind: ClassVar[str]

    @classmethod
    def _argument_names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> State:
        """Return the arguments by name; `deep` has no effect."""
        return {name: getattr(self, name) for name in self._argument_names()}

    def set_params(self, **params: object) -> Self:
        """Change arguments; returns the estimator.

        Raises
        ------
        ValueError
            If an argument is unknown.
        """
        names = self._argument_names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(f"{type(self).__name__} has no argument {name!r}; it has {', '.join(names)}")
            setattr(self, name, value)
        return self

    def _changed(self) -> State:
        """Return the arguments that differ from their defaults."""
        defaults = inspect.signature(type(self).__init__).parameters
        return {n: v for n, v in self.get_params().items() if repr(v) != repr(defaults[n].default)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._changed().items())})"

    def _repr_html_(self) -> str:
        """Return the arguments and, after fitting, the network as HTML for notebooks."""
        changed = self._changed()
        rows = "".join(
            f"<tr><th>{name}</th><td>{html.escape(repr(value))}{'' if name in changed else ' (default)'}</td></tr>"
            for name, value in self.get_params().items()
        )
        state = f"<pre>{html.escape(repr(self.module_))}</pre>" if hasattr(self, "module_") else "<p>not fitted</p>"
        name = type(self).__name__
        return f"<details><summary><b>{name}</b></summary><table>{rows}</table>{state}</details>"

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the estimator; called by scikit-learn only."""
        from sklearn.utils import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            ClassifierTags,
            InputTags,
            RegressorTags,
            Tags,
            TargetTags,
        )

        classifies = self.kind == "classifier"
        return Tags(
            estimator_type=self.kind,
            target_tags=TargetTags(required=True, multi_output=not classifies),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
            input_tags=InputTags(),
        )

    def get_metadata_routing(self) -> Any:
        """Return which methods request sample weights; called by scikit-learn only."""
        from sklearn.utils.metadata_routing import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            MetadataRequest,
        )

        if not hasattr(self, "_metadata_request"):  # scikit-learn's name: `clone` copies this attribute
            self._metadata_request: Any = MetadataRequest(owner=type(self).__name__)
            for method in ROUTED:
                self._request(method, None)
        return self._metadata_request

    def _request(self, method: str, sample_weight: bool | str | None) -> Self:
        getattr(self.get_metadata_routing(), method).add_request(param="sample_weight", alias=sample_weight)
        return self

    def set_fit_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request that scikit-learn's meta-estimators pass `sample_weight` to `fit`: True, False, or another name."""
        return self._request("fit", sample_weight)

    def set_partial_fit_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request `sample_weight` for `partial_fit`; see `set_fit_request`."""
        return self._request("partial_fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None) -> Self:
        """Request `sample_weight` for `score`; see `set_fit_request`."""
        return self._request("score", sample_weight)
