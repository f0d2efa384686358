"""The word lists that reveal a tool's effector: verbs, their objects, and verbs that need no object.

Words are separated by spaces, and the two words of a pair by a hyphen. Verbs stand for their inflections too, and
objects for their plurals.
"""

from __future__ import annotations

from typing import Final

from gateway.types import Effector

DEEDS: Final[tuple[tuple[Effector, str, str, str], ...]] = (
    (
        "nuclear",
        (
            "activate arm authorise authorize bring carry commit delegate deliver detonate disarm disperse employ "
            "enable execute fire free grant issue launch make mate order push raise ready release relay retarget "
            "select send set target transmit trigger unlock use load take predelegate"
        ),
        (
            "nuclear-weapon warhead nuclear-strike nuclear-release nuclear-option nuclear-force nuclear-order "
            "strategic-option nuclear-launch nuclear-payload nuclear-employment nuclear-bomb nuclear-missile "
            "nuclear-authority nuclear-use nuclear-torpedo strategic-weapon strategic-missile special-weapon nuc "
            "nuke thermonuclear-device missile-silo permissive-action pal emergency-action eam icbm slbm "
            "reentry-vehicle launch-order release-authority"
        ),
        "",
    ),
    (
        "nuclear",
        "aim arm assign attack confirm detonate enable launch fire retarget strike",
        "nuclear nuclear-aimpoint thermonuclear silo atomic-demolition",
        "",
    ),
    (
        "weapon",
        (
            "activate arm authorise authorize cue deploy detonate discharge drop employ enable engage eject expend "
            "fire guide initiate launch lob open order release salvo select shoot steer trigger unleash unsafe"
        ),
        (
            "weapon missile rocket munition torpedo gun cannon bomb interceptor launcher ordnance mine minefield "
            "grenade mortar howitzer artillery effector kill-vehicle loitering fire-mission wpn msl mount store "
            "pylon salvo shot round turret countermeasure strike railgun laser battery-fire opens-fire station fire"
        ),
        "detonate",
    ),
    (
        "weapon",
        (
            "assign attack confirm defeat designate destroy engage illuminate intercept kill lase neutralise "
            "neutralize paint prosecute service shoot strike"
        ),
        "target hostile threat aircraft contact tgt enemy aimpoint vessel intruder drone uas cuas uav boat pairing",
        "",
    ),
    (
        "cyber",
        (
            "apply block blk crack deauth divert ddos disconnect dump escalate exfiltrate exploit flood fuzz harvest "
            "hijack implant inject install intercept isolate jam kill null pivot poison probe pwn quarantine sandbox "
            "scan segment sever sinkhole sniff spoof spray sweep takedown terminate throw unblock wipe"
        ),
        (
            "host network subnet port endpoint firewall ip traffic payload implant vulnerability vulnerabilities "
            "credential hash session domain malware packet address vlan wifi workstation server router net mac "
            "process botnet form device laptop prefix firewall-rule deny-rule fw opponent adversary system-of"
        ),
        "deauth ddos exfiltrate nmap phish portscan pwn sinkhole",
    ),
    (
        "cyber",
        "deploy deliver run launch execute trigger",
        "exploit implant beacon malware port-scan ddos nmap effect",
        "",
    ),
    (
        "physical",
        (
            "activate actuate adjust administer apply close control cycle deenergise deenergize dispense drive "
            "energise energize fly halt infuse land lift lock lower move navigate open operate park pump raise "
            "reroute restart reverse rotate run set shed shut spin start steer stop switch throttle transfer trip "
            "turn unlock vent xfer"
        ),
        (
            "valve breaker pump door gate turbine motor conveyor robot vehicle drone uav rover crane generator relay "
            "feeder substation boiler elevator barrier sluice thermostat actuator infusion forklift agv hvac chiller "
            "fan damper compressor recloser penstock spillway turnstile bollard ventilator manipulator gripper "
            "furnace heater access setpoint traffic-light traffic-signal tie-switch cart aircraft waypoint hvac-unit "
            "junction comfort ward-door train track-switch siren pump-station"
        ),
        "actuate deenergise deenergize energise energize infuse",
    ),
    (
        "sensor_tasking",
        (
            "add aim activate capture collect command cue focus listen pan ping point record reposition retask "
            "rotate schedule slew start steer stream sweep switch take task tilt track tune turn zoom"
        ),
        (
            "satellite camera sensor radar antenna telescope sonar gimbal imager microphone collection payload "
            "snapshot sar-pass sonobuoy ptz hydrophone seismometer overpass ground-station acoustic-logger "
            "active-ping bodycam cam receiver radar-scan"
        ),
        "ptz retask slew",
    ),
    (
        "communication",
        (
            "alert announce broadcast call deliver dispatch email fax forward invite mail message notify page ping "
            "post publish push remind reply respond send share text transmit tweet warn"
        ),
        (
            "email mail message sms notification tweet letter alert newsletter fax invitation recipient channel "
            "customer user subscriber press slack announcement patient team staff citizen resident contact "
            "supervisor inbox whoever bulletin member public technician reminder commander pager social statement "
            "update caller crew family duty applicant kin everyone everybody people"
        ),
        "broadcast email fax notify tweet",
    ),
    (
        "digital_write",
        (
            "add amend append apply approve archive assign book cancel change close commit create delete edit enrol "
            "enroll extend file grant insert issue log merge modify move overwrite patch persist purge record "
            "register remove rename replace reset revoke save schedule set store submit update upload upsert write"
        ),
        (
            "record file row entry table database db ticket document setting config configuration account permission "
            "field branch issue order appointment event calendar case item entries profile folder page note status "
            "policy permit password directory directories list log form request shift booking ledger invoice "
            "requisition encounter term glossary plate"
        ),
        "upsert",
    ),
)
"""For each effector, gravest first: verbs, their objects, and verbs that need no object."""

LOOKS: Final = (
    "analyse analyze answer assess browse calculate check classify compare compute convert count describe detect "
    "diff display draft estimate evaluate explain export extract fetch find forecast format get identify inspect "
    "list look lookup measure model parse plan predict preview query read recommend report retrieve return review "
    "score search show simulate suggest summarise summarize translate validate verify view"
)
"""Verbs that only look."""

RECORDS: Final = (
    "calculator catalog catalogue counts database estimator events explainer finder guide history if impact index "
    "info log logs manual planner playback readiness records schedule sim simulated simulation simulator dryrun "
    "exercise whatif render stats statistics status summary summariser summarizer tail telemetry timeline training "
    "translator validator viewer"
)
"""Last words of a name that denote a record or a calculation."""

BEFORE: Final = (
    "also and automatically by can directly immediately it lets may now or physically please remotely should that "
    "then this to which will would you"
)
"""Words that may precede a verb that acts."""

BEGINS: Final = "a api call calls endpoint function let the tool use used when your"
"""Other words that a sentence may begin with before its first verb."""

PERHAPS: Final = "before how if until what when where whether"
"""First words of a sentence that states only a possibility."""

CHOICES: Final = "action cmd command function mode op operation order request task verb"
"""Properties of a schema whose values are actions."""
