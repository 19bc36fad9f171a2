import os
import time

from catalogue.models import Item
from django.http import HttpRequest, JsonResponse
from django.urls import path


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"items": Item.objects.count()})


def items(request: HttpRequest, sku: str) -> JsonResponse:
    Item.objects.get_or_create(sku=sku)
    return JsonResponse({"items": [item.sku for item in Item.objects.order_by("sku")], "uid": os.getuid()})


def slow(request: HttpRequest) -> JsonResponse:
    time.sleep(3)
    return JsonResponse({"slow": True})


urlpatterns = [path("health", health), path("shop/items/<slug:sku>", items), path("shop/slow", slow)]
