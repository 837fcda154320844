"""What a user can cause and mend: told in two sentences, without a stack trace."""

import click


class Failure(Exception):
    """`what` went wrong, and what to do `next`."""

    def __init__(self, what: str, next: str = "", code: int = 1):
        super().__init__(what)
        self.what = what
        self.next = next
        self.code = code

    def show(self) -> None:
        click.echo(f"{click.style('celaje:', fg='red', bold=True)} {self.what}", err=True)
        if self.next:
            click.echo(f"        {self.next}", err=True)
