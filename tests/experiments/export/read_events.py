"""Prints the events of a TensorBoard file as JSON, read by other people's code:
protocol buffers by google.protobuf, checksums by crcmod."""

import json
import struct
import sys

import crcmod.predefined
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

crc32c = crcmod.predefined.mkCrcFun("crc-32c")


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        length, checksum = struct.unpack_from("<QI", data, at)
        assert masked(data[at : at + 8]) == checksum
        body = data[at + 12 : at + 12 + length]
        (checksum,) = struct.unpack_from("<I", data, at + 12 + length)
        assert len(body) == length and masked(body) == checksum
        yield body
        at += length + 16


def event_class():
    """The part of TensorFlow's event.proto and summary.proto that is needed."""
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="t", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields):
        made = file.message_type.add(name=name)
        for number, (label, kind, type_name, many) in fields:
            made.field.add(
                name=label,
                number=number,
                type=kind,
                type_name=type_name,
                label=field.LABEL_REPEATED if many else field.LABEL_OPTIONAL,
            )

    message(
        "Value",
        (1, ("tag", field.TYPE_STRING, None, False)),
        (2, ("simple_value", field.TYPE_FLOAT, None, False)),
    )
    message("Summary", (1, ("value", field.TYPE_MESSAGE, ".t.Value", True)))
    message(
        "Event",
        (1, ("wall_time", field.TYPE_DOUBLE, None, False)),
        (2, ("step", field.TYPE_INT64, None, False)),
        (3, ("file_version", field.TYPE_STRING, None, False)),
        (5, ("summary", field.TYPE_MESSAGE, ".t.Summary", False)),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("t.Event"))


with open(sys.argv[1], "rb") as file:
    content = file.read()
events = [event_class().FromString(body) for body in records(content)]
print(
    json.dumps(
        {
            "version": events[0].file_version,
            "start": events[0].wall_time,
            "steps": [
                {
                    "step": event.step,
                    "wall_time": event.wall_time,
                    "values": {v.tag: v.simple_value for v in event.summary.value},
                }
                for event in events[1:]
            ],
        }
    )
)
