"""What somebody has proven about themselves, which what they get by it is made with."""

from __future__ import annotations

from ..errors import CredentialsRefused
from ..models import User


def held(person: User) -> User:
    """The row of a person who has proven who they are, locked in the caller's control-plane transaction.

    Hashing takes a tenth of a second, in which the password may change or the person be shut out: then what was proven
    is worth nothing any more. Whoever changes it ends, behind this lock, all that was made before.

    Raises CredentialsRefused.
    """
    row = User.objects.select_for_update(no_key=True).filter(pk=person.pk, is_active=True).first()
    if row is None or row.password != person.password:
        raise CredentialsRefused
    return row
