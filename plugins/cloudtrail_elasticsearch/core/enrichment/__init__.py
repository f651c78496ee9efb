"""Enrichment: fields that are not in the event, from databases and lists that the user names. ADR-0030"""
