"""`llm.config_widget()`: default model, rules, fallbacks and roles in a form that writes YAML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from multimodel_magic.config import find_config
from multimodel_magic.config.edits import save
from multimodel_magic.config.search import NAMES
from multimodel_magic.errors import ConfigError, must_be
from multimodel_magic.notebook.widgets import draft as drafts
from multimodel_magic.notebook.widgets.busy import busy_label
from multimodel_magic.notebook.widgets.draft import Draft, File, drafted
from multimodel_magic.notebook.widgets.form import TARGETS, Form, RoleRow, RuleRow
from multimodel_magic.notebook.widgets.stage import Latest, Place, has_front_end, show_controls

if TYPE_CHECKING:
    from multimodel_magic.session import Session

__all__ = ["ConfigEditor", "config_widget"]

Widget: TypeAlias = Any

TWIN = (
    "Routing form: it needs a running kernel; llm.config_widget() opens it. "
    "Below stands the configuration as it was last."
)
IN_A_TERMINAL = "a terminal has no form: edit the file, then %llm config check"


def config_widget(session: Session, path: str | Path | None = None) -> ConfigEditor:
    """Open a form for a routing configuration; nothing is written before Save is clicked.

    Parameters
    ----------
    path
        The file, which need not be there yet. By default the one in use, else the one that is
        found from the current folder upward, else `routing_config.yml` here.
    """
    must_be("the file", path or "", (str, Path), "its path")
    found = path or session.config_path or find_config() or NAMES[0]
    return ConfigEditor(session, Path(found).expanduser())


class ConfigEditor:
    """The form and what it comes to; shown where it is a cell's value.

    Parameters
    ----------
    session
        Whose catalogue the configuration is checked against.
    path
        The file that Save writes.
    """

    def __init__(self, session: Session, path: Path) -> None:
        self.session = session
        self.file = File.read(path)
        self.form = Form.of(self.file.document)
        self.draft: Draft = drafted(session, self.file, self.form)
        self.place = Place(drafts.bundle(self.draft))
        self._fields: Fields | None = None
        self._changes: Latest[Form] = Latest(self._check)

    def __str__(self) -> str:
        return str(self.place.bundle["text/plain"])

    def __repr__(self) -> str:
        return f"<routing form of {self.file.path}: {self.draft.state}>"

    def _ipython_display_(self) -> None:
        if not has_front_end():
            print(f"{self}\n({IN_A_TERMINAL})")  # noqa: T201 - a terminal's display
            return
        show_controls(self.fields.box, TWIN)
        self.place.show()

    @property
    def fields(self) -> Fields:
        """What is typed into and clicked; made when it is first shown."""
        if self._fields is None:
            self._fields = Fields(self)
            self._fields.fill(self.form)
            self._mark()
        return self._fields

    # --- what the fields call

    def change(self, form: Form) -> None:
        """Take in the form as it stands; checked as soon as nothing newer comes."""
        self.form = form
        self._changes.put(form)

    def _check(self, form: Form, said: str = "") -> None:
        self.draft = drafted(self.session, self.file, form, said)
        self.place.fill(drafts.bundle(self.draft))
        self._mark()

    def save(self) -> None:
        """Write what the form says, if it is valid and the file is as it was read."""
        self._check(self.form)  # what was typed a moment ago counts
        if not self.draft.can_be_saved:
            return
        try:
            save(self.file.path, self.draft.text, before=self.file.data)
        except ConfigError as error:
            self.draft = replace(self.draft, fault=str(error))
            self.place.fill(drafts.bundle(self.draft))
            return
        self._read("saved; the next cell that asks takes it up")

    def reload(self) -> None:
        """Read the file again and forget what was typed and not saved."""
        self._read("read again")

    def _read(self, said: str) -> None:
        self.file = File.read(self.file.path)
        self.form = Form.of(self.file.document)
        if self._fields is not None:
            self._fields.fill(self.form)
        self._check(self.form, said)

    def _mark(self) -> None:
        if self._fields is not None:
            self._fields.save.disabled = not self.draft.can_be_saved

    def names(self) -> tuple[str, ...]:
        """List what may be named: roles, models, aliases."""
        own = (row.name for row in self.form.roles)
        catalogue = self.session.client.catalogue
        return tuple(dict.fromkeys([*own, *catalogue.roles, *catalogue.names()]))


@dataclass(frozen=True, slots=True)
class Row:
    """One rule or role: its box, its first field, whose label counts it, and what reads it."""

    box: Widget
    name: Widget
    read: Callable[[], Any]


class Fields:
    """The form's widgets."""

    def __init__(self, owner: ConfigEditor) -> None:
        import ipywidgets as widgets

        self._widgets = widgets
        self._owner = owner
        self._names = owner.names()
        self._filling = False
        self._rules: list[Row] = []
        self._roles: list[Row] = []
        self.default_model = self._combobox("Default model", "who answers where nothing else does")
        self.strategy = self._text("Strategy", "chooses where no rule matches")
        self.fallbacks = self._text("Fallbacks", "asked after a failure: a, b")
        self.rules = widgets.VBox([])
        self.roles = widgets.VBox([])
        self.add_rule = self._button(
            "Add rule", lambda: self._add(self._rules, self._rule(RuleRow()))
        )
        self.add_role = self._button(
            "Add role", lambda: self._add(self._roles, self._role(RoleRow()))
        )
        self.save = self._button("Save", owner.save, style="primary", tip="Write the file")
        self.reload = self._button("Reload", owner.reload, tip="Read the file again; forget this")
        self.box = self._laid_out()

    def _laid_out(self) -> Widget:
        make = self._widgets
        wrap = {"flex_flow": "row wrap"}
        return make.VBox(
            [
                make.HBox([self.default_model, self.strategy, self.fallbacks], layout=wrap),
                _heading(make, "Rules: the first that matches decides"),
                self.rules,
                make.HBox([self.add_rule]),
                _heading(make, "Roles: the first model that can answer"),
                self.roles,
                make.HBox([self.add_role]),
                make.HBox([self.save, self.reload], layout={**wrap, "margin": ".6em 0 0"}),
                busy_label(),
            ],
            layout={"max_width": "72em", "margin": "0 20px 0 0"},
        )

    # --- from and to the form

    def fill(self, form: Form) -> None:
        """Put a form's texts into the fields."""
        self._filling = True
        try:
            self.default_model.value = form.default_model
            self.strategy.value = form.strategy
            self.fallbacks.value = form.fallbacks
            self._discard(self._rules + self._roles)
            self._rules = [self._rule(row) for row in form.rules]
            self._roles = [self._role(row) for row in form.roles]
            self._stack()
        finally:
            self._filling = False

    def form(self) -> Form:
        """Read the fields."""
        return Form(
            self.default_model.value,
            self.strategy.value,
            self.fallbacks.value,
            tuple(row.read() for row in self._rules),
            tuple(row.read() for row in self._roles),
        )

    def _changed(self, _: object = None) -> None:
        if not self._filling:
            self._owner.change(self.form())

    def _add(self, rows: list[Row], row: Row) -> None:
        rows.append(row)
        self._stack()
        self._changed()

    def _stack(self) -> None:
        """Put the rows on the page, rules with their numbers."""
        for n, row in enumerate(self._rules, start=1):
            row.name.description = f"Rule {n}"
        self.rules.children = tuple(row.box for row in self._rules)
        self.roles.children = tuple(row.box for row in self._roles)

    def _remove(self, name: Widget) -> None:
        gone = [row for row in self._rules + self._roles if row.name is name]
        self._rules = [row for row in self._rules if row.name is not name]
        self._roles = [row for row in self._roles if row.name is not name]
        self._stack()
        self._discard(gone)
        self._changed()

    def _discard(self, rows: list[Row]) -> None:
        """Let the page and the kernel forget rows."""
        for row in rows:
            for group in row.box.children:
                for widget in (*getattr(group, "children", ()), group):
                    widget.close()
            row.box.close()

    def _up(self, name: Widget) -> None:
        at = next(n for n, row in enumerate(self._rules) if row.name is name)
        if at:
            self._rules[at - 1 : at + 1] = self._rules[at], self._rules[at - 1]
            self._stack()
            self._changed()

    # --- rows

    def _rule(self, row: RuleRow) -> Row:
        name = self._text("Rule", "the rule's name, if it has one", row.name, "13em", "name")
        condition = self._text(
            "if", "when, as task_type: code, complexity: high", row.condition, "23em", "always"
        )
        target = self._widgets.Dropdown(options=TARGETS, value=row.target)
        self._told(target, "ask", "what is named", "9em")
        who = self._combobox("named", "model, role or strategy", row.who, "18em")
        then = self._text("fallbacks", "its own; none: nobody", row.fallbacks, "18em", "as for all")
        up = self._small("↑ Up", "Move this rule up", lambda: self._up(name))
        drop = self._small("✕ Remove", "Remove this rule", lambda: self._remove(name))

        def read() -> RuleRow:
            texts = name.value, condition.value, target.value, who.value, then.value
            return RuleRow(*texts, raw=row.raw)

        return self._row(name, [[name], [condition], [target, who], [then, up, drop]], read)

    def _role(self, row: RoleRow) -> Row:
        name = self._text("Role", "the role's name", row.name, "13em", "name")
        models = self._text("means", "its models, best first: a, b", row.models, "39em", "models")
        drop = self._small("✕ Remove", "Remove this role", lambda: self._remove(name))
        groups = [[name], [models, drop]]
        return self._row(name, groups, lambda: RoleRow(name.value, models.value, row.raw))

    def _row(self, name: Widget, groups: list[list[Widget]], read: Callable[[], object]) -> Row:
        """Set what belongs together side by side; the groups wrap on a narrow screen."""
        boxes = [self._widgets.HBox(group, layout={"max_width": "100%"}) for group in groups]
        layout = {"flex_flow": "row wrap", "margin": "0 0 .5em"}
        return Row(self._widgets.HBox(boxes, layout=layout), name, read)

    # --- parts

    def _text(
        self, name: str, tip: str, value: str = "", width: str = "", placeholder: str = ""
    ) -> Widget:
        return self._told(
            self._widgets.Text(value, placeholder=placeholder or tip), name, tip, width
        )

    def _combobox(self, name: str, tip: str, value: str = "", width: str = "") -> Widget:
        made = self._widgets.Combobox(
            value=value, options=self._names, ensure_option=False, placeholder=tip
        )
        return self._told(made, name, tip, width)

    def _told(self, widget: Widget, name: str, tip: str, width: str) -> Widget:
        widget.description, widget.tooltip = name, f"{name}: {tip}"
        widget.layout = {"width": width or "26em", "max_width": "100%"}
        # Every field has a label that assistive software reads: a tooltip alone names nothing.
        widget.style = {"description_width": "initial" if width else "8.5em"}
        widget.observe(self._changed, names="value")
        return widget

    def _button(
        self, name: str, act: Callable[[], None], *, style: str = "", tip: str = ""
    ) -> Widget:
        made = self._widgets.Button(description=name, button_style=style, tooltip=tip or name)
        made.on_click(lambda _: act())
        return made

    def _small(self, sign: str, tip: str, act: Callable[[], None]) -> Widget:
        made = self._button(sign, act, tip=tip)
        made.layout = {"width": "auto"}
        return made


def _heading(make: Widget, text: str) -> Widget:
    return make.Label(text, style={"font_weight": "bold"}, layout={"margin": ".5em 0 0"})
