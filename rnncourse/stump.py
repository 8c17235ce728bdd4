"""The grammar of stump speeches: campaign talk without a candidate, a party or a country. Every name and place is invented.

What makes it worth learning stands far apart: a subject and its verb around a relative clause; "last year" and "built"; a name
and "he" or "she"; "both" and "and", "not" and "but"; "is it true" and the question mark; a topic and the people it is about.
"""

from functools import cache

from .grammar import Grammar

RULES = """
SPEECH: 24* FACT END | 34* TIMED END | 18* QUESTION ? | 8* STORY END | 6* CONTRAST END | 5* TOPIC END | 5* MONEY END
END: 5* . | 1* !

# Facts: the verb agrees with its subject, over a relative clause whose own object may be of the other number.
FACT: ONE MIND +s AIM | MANY MIND AIM
ONE: 2* every PERSON in TOWN | 5* every PERSON who DO +s THING
MANY: 2* PERCENT of our PERSON +s | 5* the PERSON +s who DO THING
MIND ~ need | want | deserve | expect
THING: every PLACE | our PLACE +s

# Time: the first words decide the tense of the verb.
TIMED: 4* FUTURE , TEAM will DO OBJECT | 3* PAST , TEAM DO +ed OBJECT
PAST ~ last year | long ago | when I was young
FUTURE ~ next year | from day one | when I am elected | with NAME
TEAM: 3* we | 1* our PERSON +s
DO ~ open | fund | repair | guard | expand | clean | light | paint
OBJECT: NUMBER KIND PLACE +s in TOWN
KIND ~ new | small | free | modern | quiet | good

# Questions: what opens one is answered by its sign at the end.
QUESTION: 3* who will DO OBJECT | 1* why should our PERSON +s in TOWN wait for AIM | 1* can NAME DO OBJECT

# A name, and he or she at the end.
STORY: WOMAN LAST , a PERSON from TOWN , says she MIND +s AIM | MAN LAST , a PERSON from TOWN , says he MIND +s AIM
NAME: WOMAN LAST | MAN LAST
WOMAN ~ Nora | Grace | Lucy | Ivy | Hanna | Clara
MAN ~ Omar | Felix | Hugo | Paul | Simon | Ben
LAST ~ Ashby | Marlow | Fenn | Oakes | Quill | Tandy | Reed
TOWN ~ Milford | Eastvale | Oxley | Kingsport | Lakemoor | Harrow | Stonebridge | Dunby

# Pairs of words that belong together.
CONTRAST: both our PERSON +s and our PERSON +s MIND AIM | our PERSON +s MIND not WOE but AIM

# A topic and its people.
TOPIC: on health , we will DO NUMBER HEALTH_PLACE +s for our HEALTH_PERSON +s
    | on schools , we will DO NUMBER SCHOOL_PLACE +s for our SCHOOL_PERSON +s
    | on work , we will DO NUMBER WORK_PLACE +s for our WORK_PERSON +s

# Money and numbers.
MONEY: 2* we will spend SUM on AIM in TOWN | 1* they waste +d SUM on WOE in TOWN
SUM: 3* DOLLARS SCALE | 2* DOLLARS +0 SCALE | 1* DOLLARS +5 SCALE
DOLLARS ~ $2 | $4 | $3 | $7 | $9
SCALE: 3* million | 2* billion
NUMBER: 4* LEAD +0 | 3* LEAD +00 | 3* LEAD +,000 | 2* LEAD +,500 | 1* LEAD +,250
PERCENT: 2* LEAD +0% | 1* LEAD +5%
LEAD ~ 2 | 3 | 5 | 4 | 8 | 6 | 7 | 9

# Things and people.
PLACE: HEALTH_PLACE | SCHOOL_PLACE | WORK_PLACE
HEALTH_PLACE ~ clinic | hospital | shelter
SCHOOL_PLACE ~ school | college | park | museum
WORK_PLACE ~ road | farm | bridge | harbor | market | station
PERSON: HEALTH_PERSON | SCHOOL_PERSON | WORK_PERSON
HEALTH_PERSON ~ nurse | doctor | patient
SCHOOL_PERSON ~ teacher | student | parent | pupil
WORK_PERSON ~ worker | farmer | driver | builder | baker
AIM: QUALITY MATTER
QUALITY ~ better | fair | safe | clean | honest | strong | modern | good
MATTER ~ jobs | schools | homes | rules | streets | wages | energy | courts | water | work
WOE: BAD BURDEN
BAD ~ empty | higher | endless | old
BURDEN ~ promises | taxes | debts | excuses | speeches
"""


@cache
def grammar() -> Grammar:
    """The grammar of stump speeches, made once."""
    return Grammar(RULES)
