"""Shot list -> `Shot`: where a list comes from, what its rows say, what is wrong with them."""

from flows.shots.film import FilmId, film_of
from flows.shots.problem import Problem, ShotListError
from flows.shots.read import ShotList, read_list, read_shots
from flows.shots.shot import Shot
from flows.shots.source import list_name

__all__ = [
    "FilmId",
    "Problem",
    "Shot",
    "ShotList",
    "ShotListError",
    "film_of",
    "list_name",
    "read_list",
    "read_shots",
]
